import { errorText, type InstanceId } from "../core/mod.ts";
import type { Messenger } from "../mod.ts";
import { type Command, CommandFailed, type CommandIo, withMessenger } from "./command.ts";
import {
  connectAll,
  connectionHelp,
  connectionOptions,
  listAll,
  openMessenger,
  parse,
} from "./connection.ts";
import { formatMs, formatTable } from "./table.ts";

/** What is said about one instance. */
interface PeerRow {
  readonly instance: InstanceId;
  readonly endpoints: readonly string[];
  readonly services: readonly string[];
  /** Milliseconds from question to answer; null when there was none. */
  readonly latencyMs: number | null;
  /** Messages its handlers work on, and calls of its own that wait; null when it does not say. */
  readonly running: number | null;
  readonly pending: number | null;
  readonly error: string | null;
}

const atOnce = 16;

/** `zeromesh peers`. */
export const peersCommand: Command = {
  name: "peers",
  summary: "list instances with endpoints, services, latency and load",
  help: `Usage: zeromesh peers [--connect ENDPOINT | --discovery WHERE] [options]

Lists instances: id, endpoints, services, latency, and how many messages are in flight there
(being worked on by handlers / calls of its own that wait for an answer).

${connectionHelp}
  --json               print one JSON array instead of a table
  -h, --help           print this

Exit status: 0 done, 1 an instance did not answer, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values } = parse(
      {
        args: [...args],
        options: { ...connectionOptions, json: { type: "boolean" } },
        strict: true,
        allowPositionals: false,
      } as const,
    );
    const { messenger, discovery, timeoutMs } = await openMessenger(values);
    await withMessenger(messenger, async () => {
      const ids = [...await connectAll(messenger, values, timeoutMs, io.signal), ...await listAll(discovery)];
      const rows = await askAll(messenger, [...new Set(ids)].sort(), timeoutMs, io);
      print(rows, values.json === true, io);
      if (rows.some(({ error }) => error !== null)) throw new CommandFailed();
    });
  },
};

async function askAll(
  messenger: Messenger,
  ids: readonly InstanceId[],
  timeoutMs: number,
  io: CommandIo,
): Promise<PeerRow[]> {
  const rows: PeerRow[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < ids.length) {
      const at = next++;
      rows[at] = await ask(messenger, ids[at]!, timeoutMs, io.signal);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, ids.length) }, worker));
  return rows;
}

async function ask(
  messenger: Messenger,
  instance: InstanceId,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<PeerRow> {
  const endpoints = (): readonly string[] =>
    messenger.peers().find((peer) => peer.instanceId === instance)?.endpoints ?? [];
  try {
    // The first question makes the connection, the second is timed.
    await messenger.availableHandlers(instance, { timeoutMs, signal });
    const asked = performance.now();
    const description = await messenger.describe(instance, { timeoutMs, signal });
    return {
      instance,
      endpoints: endpoints(),
      services: description?.services ?? [],
      latencyMs: performance.now() - asked,
      running: description?.running ?? null,
      pending: description?.pending ?? null,
      error: null,
    };
  } catch (error) {
    signal.throwIfAborted();
    const nothing = { services: [], latencyMs: null, running: null, pending: null };
    return { instance, endpoints: endpoints(), ...nothing, error: errorText(error) };
  }
}

function print(rows: readonly PeerRow[], json: boolean, io: CommandIo): void {
  if (json) return io.out(JSON.stringify(rows, null, 2));
  if (rows.length === 0) {
    io.error("nobody found: instances are found by --connect, or by the discovery they were created with");
    return;
  }
  const cells = rows.map((row) => [
    row.instance,
    row.endpoints.join(",") || "-",
    row.services.join(",") || "-",
    row.latencyMs === null ? "-" : formatMs(row.latencyMs),
    row.running === null ? "-" : `${row.running} / ${row.pending}`,
  ]);
  for (const line of formatTable(["INSTANCE", "ENDPOINTS", "SERVICES", "LATENCY", "IN FLIGHT"], cells)) {
    io.out(line);
  }
  for (const { instance, error } of rows) if (error !== null) io.error(`${instance}: ${error}`);
}
