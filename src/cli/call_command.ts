import { type Command, CommandFailed, UsageError, withMessenger } from "./command.ts";
import { connectAll, connectionHelp, connectionOptions, openMessenger, parse, peerOf } from "./connection.ts";

/** `zeromesh call`. */
export const callCommand: Command = {
  name: "call",
  summary: "call a handler and print its answer",
  help: `Usage: zeromesh call PEER HANDLER [JSON] [options]

Calls a handler with JSON as its payload (none: an empty payload) and prints the answer, as it came.

  PEER                 an instance id, an endpoint, or service:NAME
${connectionHelp}
  --sync               for a handler without an answer: wait until it has finished
  --send               send and do not wait
  -h, --help           print this

Exit status: 0 done, 1 the call failed, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals } = parse(
      {
        args: [...args],
        options: { ...connectionOptions, sync: { type: "boolean" }, send: { type: "boolean" } },
        strict: true,
        allowPositionals: true,
      } as const,
    );
    const [peer, handler, json, ...more] = positionals;
    if (peer === undefined || handler === undefined) throw new UsageError("PEER and HANDLER are missing");
    if (more.length > 0) throw new UsageError(`too many arguments: ${more.join(" ")}`);
    if (values.sync === true && values.send === true) throw new UsageError("give either --sync or --send");
    const payload = json === undefined ? {} : { payload: parseJson(json) };
    const { messenger, timeoutMs } = await openMessenger({
      ...values,
      // An endpoint needs nobody to find it.
      connect: values.connect ?? (/^(?:tcp|ipc):/.test(peer) ? [] : undefined),
    });
    await withMessenger(messenger, async () => {
      await connectAll(messenger, values, timeoutMs, io.signal);
      const to = await peerOf(messenger, peer, values, timeoutMs, io.signal);
      const options = { to, timeoutMs, signal: io.signal, ...payload };
      if (values.send === true) {
        await messenger.amSend(handler, options);
        // In the queue is not on the wire yet.
        await messenger.flush();
      } else if (values.sync === true) await messenger.amSync(handler, options);
      else {
        const answer = await messenger.unary(handler, options);
        const text = decode(answer);
        if (text === null) {
          io.error(`the answer is ${answer.length} bytes that are no text`);
          throw new CommandFailed();
        }
        io.out(text);
      }
    });
  },
};

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`the payload is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function decode(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}
