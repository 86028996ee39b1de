import { printAnswer } from "./answer.ts";
import { commonHelp, noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { connectionHelp, connectionOptions, peerOf, withPeer } from "./connection.ts";
import { readStdin } from "./stdin.ts";
import { textOf } from "./text.ts";

/** `zeromesh call`. */
export const callCommand: Command = {
  name: "call",
  summary: "call a handler and print its answer",
  callsHandlers: true,
  help: `Usage: zeromesh call PEER HANDLER [PAYLOAD] [options]

Calls a handler with PAYLOAD and prints the answer. PAYLOAD is JSON and is sent unchanged. Without it, the payload is empty.
A failed call prints the details of the error, and "ran": whether the handler can have run (no, maybe, yes).

  PEER                 an instance id, an endpoint, or service:NAME
  PAYLOAD              JSON, or "-" to read it from standard input
  --sync               call a handler without an answer, and wait until it has finished
  --send               send the message and do not wait
  --raw                send any bytes as payload, and write the bytes of the answer; without this option, control
                       characters of a text are printed as \\uXXXX
${connectionHelp}
${commonHelp}

Examples:
  zeromesh call tcp://127.0.0.1:5555 add '{"a": 3, "b": 4}'
  zeromesh call service:resize thumbnail - --raw < photo.jpg > small.jpg

Exit status: 0 done, 1 the call failed, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals } = parse(args, {
      ...connectionOptions,
      sync: { type: "boolean" },
      send: { type: "boolean" },
      raw: { type: "boolean" },
    });
    const [peer, handler, payload, ...more] = positionals;
    if (peer === undefined || handler === undefined) throw new UsageError("PEER and HANDLER are missing");
    noMore(more);
    if (values.sync === true && values.send === true) throw new UsageError("give either --sync or --send");
    if (values.raw === true && values.json === true) throw new UsageError("give either --raw or --json");
    const rawPayload = await payloadOf(payload, values.raw === true, io.signal);
    await withPeer(peer, values, io.signal, async (messenger, wait) => {
      const to = await peerOf(messenger, peer, values, wait);
      const options = { to, rawPayload, ...wait };
      if (values.send === true) {
        await messenger.amSend(handler, options);
        // A queued message is not sent yet.
        await messenger.flush();
      } else if (values.sync === true) await messenger.amSync(handler, options);
      else return printAnswer(await messenger.unary(handler, options), values, io);
      if (values.json === true) io.out(JSON.stringify({ done: true }));
    });
  },
};

async function payloadOf(text: string | undefined, raw: boolean, signal: AbortSignal): Promise<Uint8Array> {
  const bytes = text === "-" ? await readStdin(signal) : new TextEncoder().encode(text ?? "");
  if (text !== undefined && !raw) checkJson(bytes);
  return bytes;
}

/** Checks JSON without decoding it: numbers that JavaScript would round are sent as written. */
function checkJson(bytes: Uint8Array): void {
  const text = textOf(bytes);
  try {
    if (text === null) throw new Error("it is not UTF-8");
    JSON.parse(text);
  } catch (error) {
    throw new UsageError(
      `the payload is not JSON: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
