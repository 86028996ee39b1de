import type { InstanceId } from "../core/mod.ts";
import type { Discovery } from "../discovery/mod.ts";
import type { Messenger } from "../mod.ts";
import { commonHelp, noMore, parse } from "./arguments.ts";
import { type Command, CommandFailed, UsageError, withMessenger } from "./command.ts";
import {
  connectionHelp,
  connectionOptions,
  type ConnectionValues,
  dial,
  listAll,
  openMessenger,
  type Wait,
} from "./connection.ts";
import { type FailureJson, failureJson, keysHint } from "./failure.ts";
import { oneLine } from "./output.ts";
import { intervalOf, repeat, watchOptions } from "./repeat.ts";
import { formatMs, formatTable, microseconds } from "./table.ts";

/** The output for one instance. */
interface PeerRow {
  /** Null for an endpoint without an answer. */
  readonly instance: InstanceId | null;
  /** Its name; null without one. */
  readonly name: string | null;
  readonly endpoints: readonly string[];
  readonly services: readonly string[];
  /** Milliseconds from request to answer; null without an answer. */
  readonly latencyMs: number | null;
  /** Running messages and its own waiting calls; null if it does not report them. */
  readonly running: number | null;
  readonly pending: number | null;
  readonly error: FailureJson | null;
}

const atOnce = 16;

/** `zeromesh peers`. */
export const peersCommand: Command = {
  name: "peers",
  summary: "list instances with endpoints, services, latency and load",
  help: `Usage: zeromesh peers [--connect ENDPOINT | --discovery WHERE] [options]

Lists instances with id, endpoints, services, latency, and messages in flight
(messages that handlers work on / own calls that wait for an answer).

  --watch              repeat until interrupted; a terminal shows one table, other outputs get one after another
  --interval MS        the time between two tables (default: 2000)
${connectionHelp}
${commonHelp}
                       with --watch each array is one line

Examples:
  zeromesh peers
  zeromesh peers --connect tcp://10.0.0.7:5555 --connect tcp://10.0.0.8:5555 --watch

Exit status: 0 done, 1 an instance did not answer, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals } = parse(args, {
      ...connectionOptions,
      ...watchOptions,
    });
    noMore(positionals);
    const intervalMs = intervalOf(values, 2_000);
    const { messenger, discovery, timeoutMs } = await openMessenger(values);
    await withMessenger(messenger, async () => {
      const look = (): Promise<PeerRow[]> =>
        lookAround(messenger, discovery, values, { timeoutMs, signal: io.signal });
      if (intervalMs !== null) {
        const lines = (seen: PeerRow[]) => [...tableOf(seen), ...troubles(seen, values)];
        return await repeat(look, lines, { intervalMs, json: values.json === true, io });
      }
      const rows = await look();
      if (values.json === true) io.out(JSON.stringify(rows, null, 2));
      else for (const line of tableOf(rows)) io.out(line);
      for (const line of troubles(rows, values)) io.error(line);
      if (rows.some(({ error }) => error !== null)) throw new CommandFailed();
    });
  },
};

/** Queries all instances that are named or found. */
async function lookAround(
  messenger: Messenger,
  discovery: readonly Discovery[],
  values: ConnectionValues,
  wait: Wait,
): Promise<PeerRow[]> {
  const silent: PeerRow[] = [];
  const dialled = await Promise.all((values.connect ?? []).map(async (endpoint) => {
    try {
      return [await dial(messenger, endpoint, values, wait)];
    } catch (error) {
      if (error instanceof UsageError || wait.signal.aborted) throw error;
      silent.push(rowWithout({ instance: null, name: null, endpoints: [endpoint] }, error));
      return [];
    }
  }));
  const ids = [...new Set([...dialled.flat(), ...await listAll(discovery)])].sort();
  return [...await askAll(messenger, ids, wait), ...silent];
}

async function askAll(messenger: Messenger, ids: readonly InstanceId[], wait: Wait): Promise<PeerRow[]> {
  const rows: PeerRow[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length) {
      const at = next++;
      rows[at] = await ask(messenger, ids[at]!, wait);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, worker));
  return rows;
}

async function ask(messenger: Messenger, instance: InstanceId, wait: Wait): Promise<PeerRow> {
  const known = () => {
    const peer = messenger.peers().find(({ instanceId }) => instanceId === instance);
    return { instance, name: peer?.name ?? null, endpoints: peer?.endpoints ?? [] };
  };
  try {
    // The first request makes the connection, the second one is timed.
    await messenger.availableHandlers(instance, wait);
    const asked = performance.now();
    const description = await messenger.describe(instance, wait);
    return {
      ...known(),
      services: description?.services ?? [],
      latencyMs: microseconds(performance.now() - asked),
      running: description?.running ?? null,
      pending: description?.pending ?? null,
      error: null,
    };
  } catch (error) {
    wait.signal.throwIfAborted();
    return rowWithout(known(), error);
  }
}

function rowWithout(known: Pick<PeerRow, "instance" | "name" | "endpoints">, error: unknown): PeerRow {
  const nothing = { services: [], latencyMs: null, running: null, pending: null };
  return { ...known, ...nothing, error: failureJson(error) };
}

function tableOf(rows: readonly PeerRow[]): string[] {
  if (rows.length === 0) return [];
  const cells = rows.map((row) =>
    [
      row.name === null ? row.instance ?? "-" : `${row.instance} (${row.name})`,
      row.endpoints.join(",") || "-",
      row.services.join(",") || "-",
      row.latencyMs === null ? "-" : formatMs(row.latencyMs),
      row.running === null ? "-" : `${row.running} / ${row.pending}`,
    ].map(oneLine)
  );
  return formatTable(["INSTANCE", "ENDPOINTS", "SERVICES", "LATENCY", "IN FLIGHT"], cells);
}

/** Problems of the instances, one line each. */
function troubles(rows: readonly PeerRow[], { keys }: ConnectionValues): string[] {
  if (rows.length === 0) {
    return ["no instances found: use --connect, or --discovery with the back end that they use"];
  }
  const lines: string[] = [];
  const hints = new Set<string>();
  for (const { instance, endpoints, error } of rows) {
    if (error === null) continue;
    const code = error.code === null ? "" : `${error.code}: `;
    lines.push(oneLine(`${instance ?? endpoints.join(",")}: ${code}${error.message}`));
    const hint = keysHint(error.message, keys);
    if (hint !== null) hints.add(hint);
  }
  return [...lines, ...hints];
}
