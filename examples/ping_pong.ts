/** Measures the round trip of a message to another process. With `--peer` this program is that process. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger, unaryHandler } from "zeromesh";
import { listening, runtimeName, startPeerProcess, toldToEnd } from "./peer_process.ts";
import { formatDuration, measureRoundTrips } from "./round_trips.ts";

const help = `Sends bytes to a second process and back, one message at a time, and measures.

  --rounds N   the number of messages (5000)
  --bytes N    the bytes of each message (64)
  --help       this text`;

async function pong(): Promise<void> {
  await using messenger = await Messenger.create();
  messenger.registerHandler(unaryHandler("ping", ({ payload }) => payload, { dispatch: "inline" }));
  console.log(`${listening}${messenger.endpoint}`);
  await toldToEnd();
}

async function ping(rounds: number, bytes: number): Promise<void> {
  await using messenger = await Messenger.create();
  await using other = await startPeerProcess(new URL(import.meta.url), ["--peer"]);
  const to = await messenger.connect(other.endpoint);
  const rawPayload = new Uint8Array(bytes).fill(7);
  const { p50, p99 } = await measureRoundTrips(rounds, async () => {
    const answer = await messenger.unary("ping", { to, rawPayload });
    if (answer.length !== rawPayload.length) throw new Error(`Sent ${bytes} bytes, got ${answer.length}`);
  });
  console.log(
    `${rounds} round trips of ${bytes} bytes on ${runtimeName()}: ` +
      `p50 ${formatDuration(p50)}, p99 ${formatDuration(p99)}`,
  );
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (text.trim() !== "" && Number.isInteger(number) && number >= least && number <= most) return number;
  throw new RangeError(`--${name} is a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`);
}

try {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "5000" },
      bytes: { type: "string", default: "64" },
      peer: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else if (values.peer) await pong();
  else {await ping(
      wholeNumber("rounds", values.rounds, 1, 10_000_000),
      wholeNumber("bytes", values.bytes, 0, 2 ** 26),
    );}
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
