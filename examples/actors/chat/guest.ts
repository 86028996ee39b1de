/** Joins the room of server.ts: says each line of standard input, and prints what all guests say. */
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { Messenger } from "zeromesh";
import { actorRef } from "zeromesh/actors";
import { Room } from "./room.ts";

const help =
  `Joins the room of server.ts under a name. Each line of standard input is said; its end leaves the room.

  --name NAME           who you are
  --endpoint ENDPOINT   where the server listens (tcp://127.0.0.1:5555)
  --help                this text`;

async function join(name: string, endpoint: string): Promise<void> {
  await using messenger = await Messenger.create({ listen: false });
  const room = actorRef(messenger, Room, `room@${await messenger.connect(endpoint)}`);
  await using talk = await room.open("talk", name);
  const input = createInterface({ input: process.stdin });
  input.on("line", (line) => {
    talk.send(line).catch((error: unknown) => console.error(error));
  });
  input.once("close", () => void talk.close("left"));
  for await (const { from, text } of talk) console.log(`${from}: ${text}`);
  input.close();
}

try {
  const { values } = parseArgs({
    options: {
      name: { type: "string", default: "" },
      endpoint: { type: "string", default: "tcp://127.0.0.1:5555" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await join(values.name, values.endpoint);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
