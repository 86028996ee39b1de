/**
 * A process whose handlers others wait for: `availability_peer.ts [LEADER]`. It says `ready ENDPOINT ID` and takes
 * commands from its standard input, one a line: `register NAME`, `replace NAME`, `close`. With LEADER it registers
 * there by `_register_service`.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { acknowledge, amHandler, Messenger } from "../../../src/mod.ts";

const [leader] = process.argv.slice(2);
const messenger = await Messenger.create();
messenger.registerHandler(amHandler("silent", () => {}));
messenger.registerHandler(amHandler("job", (context) => acknowledge(context)));
if (leader !== undefined) await messenger.announceTo(await messenger.connect(leader));
console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
for await (const line of createInterface({ input: process.stdin })) {
  const [command, name = ""] = line.split(" ");
  if (command === "close") break;
  const handler = { name, handle: () => {} };
  messenger.registerHandler(handler, { replace: command === "replace" });
  console.log(`registered ${name}`);
}
await messenger.close();
process.exit(0);
