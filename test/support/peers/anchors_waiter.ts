/** Program of `process/streams_anchors_test.ts`: an instance that does not listen waits for what a peer sends into its anchor. */
import process from "node:process";
import { Messenger } from "../../../src/mod.ts";
import { streams } from "../../../src/streams/mod.ts";

async function main(endpoint: string): Promise<void> {
  const messenger = await Messenger.create({ listen: false });
  const to = await messenger.connect(endpoint);
  const anchor = streams(messenger).anchor();
  await messenger.unary("later", { to, payload: String(anchor.handle) });
  console.log("waiting");
  for await (const item of anchor) console.log(`got ${item}`);
  console.log("done");
}

// Not awaited: a module that waits at its top level is kept by the runtime itself.
void main(process.argv[2]!);
