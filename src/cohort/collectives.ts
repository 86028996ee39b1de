import {
  type Contract,
  type InstanceId,
  isContract,
  option,
  type OptionTable,
  readOptions,
  type Timed,
  ZeromeshError,
} from "../core/mod.ts";
import {
  type CallOptions,
  peerText,
  type TypedCallOptions,
  type WaitOptions,
  waitOptionTable,
} from "../messenger/mod.ts";
import type { Member, Worker } from "./members.ts";
import type { CohortMessenger } from "./options.ts";
import { CohortResults, type WorkerOutcome } from "./results.ts";
import { Timeout } from "./timeout.ts";

/** The workers that a collective addresses; all of them by default. */
export interface Targets {
  /** The worker with this rank. */
  rank?: number | undefined;
  /** The workers with these ranks: from the first up to, but without, the second. */
  ranks?: readonly [from: number, end: number] | undefined;
}

/** Options of every collective. The deadline holds for all workers together. */
export interface CollectiveOptions extends WaitOptions, Targets {
  /** Headers of the message. */
  headers?: Readonly<Record<string, string>> | undefined;
}

/** Options of a collective that sends the same to every worker. */
export interface BroadcastOptions extends CollectiveOptions {
  /** The value to send, as JSON or as the contract says. */
  payload?: unknown;
  /** Bytes to send unchanged; not with a contract. */
  rawPayload?: Uint8Array | undefined;
}

/** Options of a collective that sends the same to every worker, by contract. */
export type TypedBroadcastOptions<C extends Contract> =
  & CollectiveOptions
  & Pick<TypedCallOptions<C>, "payload">;

/** The meaning of a worker's acknowledgement. */
export interface AckOptions {
  /**
   * `finished`: the handler has returned. `handler`: each worker's message has its own `_ack_id` in the JSON payload,
   * and the handler sends the ACK itself with `acknowledge(context)`.
   *
   * @default {"finished"}
   */
  ack?: "finished" | "handler" | undefined;
}

const isPair = (value: unknown): value is readonly number[] =>
  Array.isArray(value) && value.length === 2 && value.every(Number.isInteger);

/** The options of a collective. */
export const collectiveOptionTable: OptionTable<CollectiveOptions> = {
  ...waitOptionTable,
  rank: option.whole(0, 2 ** 31),
  ranks: option.kind("two integers from 0 on, the second one larger", isPair, {
    inRange: (value) => isPair(value) && value[0]! >= 0 && value[1]! > value[0]!,
  }),
  headers: option.object,
};

// A contract encodes its own payload.
const typedBroadcastOptionTable: OptionTable<Omit<BroadcastOptions, "rawPayload">> = {
  ...collectiveOptionTable,
  payload: option.value,
};

const broadcastOptionTable: OptionTable<BroadcastOptions> = {
  ...typedBroadcastOptionTable,
  rawPayload: option.bytes,
};

/** The options of acknowledgements. */
export const ackOptionTable: OptionTable<AckOptions> = { ack: option.oneOf("finished", "handler") };

/** Checks the options of a collective that sends the same to every worker. */
export function readBroadcast<Options extends BroadcastOptions>(
  target: string | Contract,
  options: Options | undefined,
  more: object = {},
): Options {
  const table = { ...(isContract(target) ? typedBroadcastOptionTable : broadcastOptionTable), ...more };
  const known = table as unknown as OptionTable<Options>;
  return readOptions(options, known, "Cannot call the workers'", nameOf(target));
}

/** The handler that is called. */
export function nameOf(target: string | Contract): string {
  return isContract(target) ? target.name : String(target);
}

/** The cohort, as far as collectives use it. */
export interface CollectiveHost extends Timed {
  /** The leader's messenger. */
  readonly messenger: CohortMessenger;
  /** Default deadline in milliseconds. */
  readonly timeoutMs: number;
  /** The workers, in order. @throws {ZeromeshError} `COHORT_ENDED`. */
  members(): readonly Member[];
}

/** Calls many workers at once: all start together, and one deadline ends all. */
export async function collect<T, Rank extends number | null>(
  host: CollectiveHost,
  options: CollectiveOptions,
  one: (worker: Worker<Rank>, timeout: Timeout) => Promise<T>,
): Promise<CohortResults<T, Rank>> {
  const members = select(host.members(), options);
  options.signal?.throwIfAborted();
  const timeout = new Timeout(host.clock, options.timeoutMs ?? host.timeoutMs, options);
  const outcomes = members.map(async (member): Promise<WorkerOutcome<T, Rank>> => {
    const worker = member.view() as Worker<Rank>;
    try {
      if (member.state === "lost") throw workerLost(worker);
      return { worker, ok: true, value: await one(worker, timeout) };
    } catch (error) {
      return { worker, ok: false, error: error instanceof Error ? error : new Error(String(error)) };
    }
  });
  const results = new CohortResults(await Promise.all(outcomes));
  options.signal?.throwIfAborted();
  return results;
}

/** The options of the call to one worker. */
export function callOptions(
  worker: Worker,
  options: BroadcastOptions,
  { wait }: Timeout,
): CallOptions & { readonly to: InstanceId } {
  const { payload, rawPayload, headers } = options;
  return {
    to: worker.instanceId,
    ...wait,
    ...(headers === undefined ? {} : { headers }),
    ...(rawPayload === undefined ? { payload } : { rawPayload }),
  };
}

function select(members: readonly Member[], { rank, ranks }: Targets): readonly Member[] {
  if (rank === undefined && ranks === undefined) return members;
  const [from, end] = ranks ?? [rank!, rank! + 1];
  const found = members.filter((member) => member.rank !== null && member.rank >= from && member.rank < end);
  const missing: number[] = [];
  for (let wanted = from; wanted < end; wanted++) {
    if (!found.some((member) => member.rank === wanted)) missing.push(wanted);
  }
  if (missing.length === 0) return found;
  throw new ZeromeshError("RANK_UNKNOWN", `No worker has rank ${missing.join(", ")}`, { ran: "no" });
}

/** The error of a worker whose input was not made in time. */
export function payloadLate(worker: Worker): ZeromeshError {
  const message = `There was no payload for worker ${peerText(worker)} when the time was over`;
  return new ZeromeshError("TIMEOUT", message, { peer: worker.instanceId, ran: "no" });
}

/** The error of a lost worker whose place waits for a replacement. */
function workerLost(worker: Worker): ZeromeshError {
  return new ZeromeshError(
    "COHORT_WORKER_LOST",
    `Worker ${peerText(worker)}${
      worker.rank === null ? "" : `, rank ${worker.rank},`
    } was lost and has no replacement`,
    { peer: worker.instanceId, ran: "no" },
  );
}
