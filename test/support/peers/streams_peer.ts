/**
 * The other end of `process/streams_bytes_test.ts`. Its handlers take the session of a stream of bytes that the caller writes:
 * `echo` returns its frames by a stream of the next session, `halt` never reads them, `ends` tells how streams have ended.
 */
import { Messenger, unaryHandler } from "../../../src/mod.ts";
import { terminalFrames } from "../../../src/streams/wire/frame.ts";
import { pour, Reading, write, type Writing } from "../streams_kit.ts";

const messenger = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
const writings: Writing[] = [];
const readings: Reading[] = [];

async function echo(reading: Reading, { writer }: Writing): Promise<void> {
  for (let frame = await reading.next(); frame !== null; frame = await reading.next()) {
    const one = frame;
    await pour(writer, (i) => i === 0 ? one : null);
  }
  writer.end(terminalFrames.finalized);
}

for (const name of ["echo", "halt"]) {
  messenger.registerHandler(unaryHandler(name, ({ payload, senderInstanceId }) => {
    const session = BigInt(new TextDecoder().decode(payload));
    const reading = new Reading(messenger, senderInstanceId!, { session });
    readings.push(reading);
    if (name === "halt") return;
    const writing = write(messenger, senderInstanceId!, { session: session + 1n });
    writings.push(writing);
    void echo(reading, writing);
  }));
}
messenger.registerHandler(unaryHandler("ping", () => {}));
messenger.registerHandler(unaryHandler("ends", () =>
  new TextEncoder().encode(JSON.stringify({
    writers: writings.map(({ ends }) => ends.map(({ reason }) => reason)),
    readers: readings.map(({ reader, ends }) => [reader.ended?.reason ?? null, ends]),
    stats: messenger.stats().streams,
  }))));
console.log(`ready ${messenger.endpoint} ${messenger.instanceId}`);
