import { errorText } from "../core/mod.ts";
import { type Command, CommandFailed, type CommandIo, UsageError, withMessenger } from "./command.ts";
import {
  connectAll,
  connectionHelp,
  connectionOptions,
  numberOf,
  openMessenger,
  parse,
  peerOf,
} from "./connection.ts";
import { formatMs } from "./table.ts";

/** `zeromesh ping`. */
export const pingCommand: Command = {
  name: "ping",
  summary: "measure the round trip to an instance",
  help: `Usage: zeromesh ping PEER [options]

Asks an instance something small again and again and prints how long each answer took.

  PEER                 an instance id or an endpoint
${connectionHelp}
  --count N            how often (default: 4)
  --interval MS        how long from one to the next (default: 1000)
  -h, --help           print this

Exit status: 0 every answer came, 1 one did not, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals } = parse(
      {
        args: [...args],
        options: { ...connectionOptions, count: { type: "string" }, interval: { type: "string" } },
        strict: true,
        allowPositionals: true,
      } as const,
    );
    const [peer, ...more] = positionals;
    if (peer === undefined) throw new UsageError("PEER is missing");
    if (more.length > 0) throw new UsageError(`too many arguments: ${more.join(" ")}`);
    const count = numberOf("count", values.count, 4);
    const intervalMs = numberOf("interval", values.interval, 1_000);
    const { messenger, timeoutMs } = await openMessenger({
      ...values,
      connect: values.connect ?? (/^(?:tcp|ipc):/.test(peer) ? [] : undefined),
    });
    await withMessenger(messenger, async () => {
      await connectAll(messenger, values, timeoutMs, io.signal);
      const to = await peerOf(messenger, peer, values, timeoutMs, io.signal);
      if (typeof to !== "string") throw new UsageError("PEER must be one instance, not a service");
      // Connecting is not part of the round trip.
      await messenger.availableHandlers(to, { timeoutMs, signal: io.signal });
      const times: number[] = [];
      for (let turn = 1; turn <= count; turn++) {
        const asked = performance.now();
        try {
          await messenger.availableHandlers(to, { timeoutMs, signal: io.signal });
          times.push(performance.now() - asked);
          io.out(`${to}: ${turn} ${formatMs(times.at(-1)!)}`);
        } catch (error) {
          io.signal.throwIfAborted();
          io.error(`${to}: ${turn} ${errorText(error)}`);
        }
        if (turn < count) await pause(intervalMs, io.signal);
      }
      summarize(times, count, io);
      if (times.length < count) throw new CommandFailed();
    });
  },
};

function summarize(times: number[], count: number, io: CommandIo): void {
  const sorted = times.toSorted((a, b) => a - b);
  const [least, most] = [sorted[0], sorted.at(-1)];
  if (least === undefined || most === undefined) return io.out(`${count} sent, 0 answered`);
  const middle = sorted[Math.floor(sorted.length / 2)]!;
  io.out(
    `${count} sent, ${times.length} answered: min ${formatMs(least)}, p50 ${formatMs(middle)}, max ${
      formatMs(most)
    }`,
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal.addEventListener("abort", abort, { once: true });
  });
}
