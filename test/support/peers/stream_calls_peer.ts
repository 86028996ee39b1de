/**
 * The other end of `process/stream_calls_faults_test.ts`, which may be killed, frozen or cut off. Its argument is the
 * endpoint to listen on.
 */
import process from "node:process";
import { Messenger, unaryHandler } from "../../../src/mod.ts";
import { serveNumbers } from "../number_streams.ts";

const endpoint = process.argv[2] ?? "tcp://127.0.0.1:0";
const messenger = await Messenger.create({ endpoint });
const ended = serveNumbers(messenger);
messenger.registerHandler(
  unaryHandler(
    "state",
    () => new TextEncoder().encode(JSON.stringify({ ended, streams: messenger.stats().streams })),
  ),
);
console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
