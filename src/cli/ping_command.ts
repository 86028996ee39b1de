import type { InstanceId } from "../core/mod.ts";
import type { Messenger } from "../mod.ts";
import { commonHelp, noMore, numberOf, parse } from "./arguments.ts";
import { type Command, CommandFailed, pause, UsageError } from "./command.ts";
import { connectionHelp, connectionOptions, instanceOf, type Wait, withPeer } from "./connection.ts";
import { type FailureJson, failureJson, failureLine } from "./failure.ts";
import type { CommandIo } from "./output.ts";
import { formatMs, microseconds } from "./table.ts";

/** The result of one ping, for `--json`. */
type Answer = { readonly turn: number; readonly ms: number } | {
  readonly turn: number;
  readonly error: FailureJson;
};

/** `zeromesh ping`. */
export const pingCommand: Command = {
  name: "ping",
  summary: "measure the round trip to an instance",
  help: `Usage: zeromesh ping PEER [options]

Sends small requests to an instance and prints how long each answer took.

  PEER                 an instance id or an endpoint
  --count N            the number of requests (default: 4)
  --interval MS        the time between two requests (default: 1000)
${connectionHelp}
${commonHelp}

Examples:
  zeromesh ping tcp://127.0.0.1:5555
  zeromesh ping tcp://db.example.com:5555 --count 1 --timeout 500 --json

Exit status: 0 every request was answered, 1 one was not, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals } = parse(args, {
      ...connectionOptions,
      count: { type: "string" },
      interval: { type: "string" },
    });
    const [peer, ...more] = positionals;
    if (peer === undefined) throw new UsageError("PEER is missing");
    noMore(more);
    const count = numberOf("count", values.count, 4);
    const intervalMs = numberOf("interval", values.interval, 1_000);
    const json = values.json === true;
    await withPeer(peer, values, io.signal, async (messenger, wait) => {
      const to = await instanceOf(messenger, peer, values, wait);
      // The round trip does not include connecting.
      await messenger.availableHandlers(to, wait);
      const answers: Answer[] = [];
      for (let turn = 1; turn <= count; turn++) {
        const answer = await ask(messenger, to, turn, wait, io);
        answers.push(answer);
        if (!json && "ms" in answer) io.out(`${to}: ${turn} ${formatMs(answer.ms)}`);
        if (turn < count) await pause(intervalMs, io.signal);
      }
      summarize(to, answers, json, io);
      if (answers.some((answer) => "error" in answer)) throw new CommandFailed();
    });
  },
};

async function ask(
  messenger: Messenger,
  to: InstanceId,
  turn: number,
  wait: Wait,
  io: CommandIo,
): Promise<Answer> {
  const asked = performance.now();
  try {
    await messenger.availableHandlers(to, wait);
    return { turn, ms: microseconds(performance.now() - asked) };
  } catch (error) {
    wait.signal.throwIfAborted();
    io.error(`${to}: ${turn} ${failureLine(error)}`);
    return { turn, error: failureJson(error) };
  }
}

function summarize(peer: string, answers: readonly Answer[], json: boolean, io: CommandIo): void {
  const times = answers.flatMap((answer) => "ms" in answer ? [answer.ms] : []).sort((a, b) => a - b);
  const [least = null, most = null] = [times[0], times.at(-1)];
  const middle = times[Math.floor(times.length / 2)] ?? null;
  const [sent, answered] = [answers.length, times.length];
  if (json) {
    const summary = { peer, sent, answered, minMs: least, p50Ms: middle, maxMs: most, answers };
    return io.out(JSON.stringify(summary, null, 2));
  }
  const figures = least === null || middle === null || most === null
    ? ""
    : `: min ${formatMs(least)}, p50 ${formatMs(middle)}, max ${formatMs(most)}`;
  io.out(`${sent} sent, ${answered} answered${figures}`);
}
