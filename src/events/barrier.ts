import {
  type InstanceId,
  option,
  type OptionTable,
  readOptions,
  Shares,
  ZeromeshError,
} from "../core/mod.ts";
import { parseControlJson } from "../wire/mod.ts";
import type { Event } from "./event.ts";
import { type EventHandle, eventHandle } from "./handle.ts";
import type { MergeHost } from "./merge.ts";
import { type AwaiterOptions, awaiterOptionTable } from "./waiting.ts";

/** Options of a barrier. */
export interface BarrierOptions {
  /** The instance that hosts the barrier. @default {this instance} */
  at?: InstanceId | undefined;
}

/** The options of a barrier. */
export const barrierOptionTable: OptionTable<BarrierOptions> = { at: option.instanceId };

/** A barrier: a fixed number of participants, in one or several processes, wait for each other. */
export interface Barrier {
  /** Its name at the hosting instance. */
  readonly name: string;
  /** The number of participants. */
  readonly count: number;
  /**
   * Arrives, and resolves when all participants have. The next round begins after that. A participant that gives up
   * breaks the round: the others end with `EVENT_POISONED`.
   *
   * @throws {ZeromeshError} `EVENT_POISONED` when the round is broken, `EVENT_OWNER_LOST` when the hosting instance is
   * gone, `TIMEOUT`, `PAYLOAD_INVALID` when other participants expect another number.
   */
  arrive(options?: AwaiterOptions): Promise<void>;
}

/** The event manager, as far as barriers use it. */
export interface BarrierHost extends MergeHost {
  /** Waits for a round. */
  awaiter(handle: EventHandle, options?: AwaiterOptions): Promise<unknown>;
  /** Breaks a round. */
  poison(handle: EventHandle, reason: string): Promise<void>;
  /** Arrives at another instance; the answer is the round's handle as text. */
  arriveAt(at: InstanceId, payload: Uint8Array, options: AwaiterOptions): Promise<Uint8Array>;
}

/** Handler for participants of other instances: JSON `{"name","count"}`, answered with the round's handle. */
export const barrierHandler = "_event_barrier";

const longestName = 256;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A round that is open: not all participants have arrived. */
interface Round {
  readonly name: string;
  readonly count: number;
  readonly event: Event;
  /** The instance that opened the round and whose share it takes; null for this instance. */
  readonly opener: InstanceId | null;
  /** The other instances that have arrived. */
  readonly guests: Set<InstanceId>;
  /** Arrivals from this instance. */
  own: number;
  /** All arrivals. */
  arrived: number;
}

/** The barriers that this instance hosts, and access to those of other instances. */
export class Barriers {
  readonly #host: BarrierHost;
  readonly #rounds = new Map<string, Round>();
  readonly #shares: Shares<InstanceId>;

  /** @param maxBarriers The most open rounds. */
  constructor(host: BarrierHost, maxBarriers: number) {
    this.#host = host;
    this.#shares = new Shares(maxBarriers);
  }

  /** Open rounds. */
  get size(): number {
    return this.#rounds.size;
  }

  /** Rounds refused at the limit since the start. */
  get refused(): number {
    return this.#shares.refused;
  }

  /** A barrier of this instance, or of another one. */
  open(name: string, count: number, at: InstanceId | null): Barrier {
    const problem = problemOf(name, count);
    if (problem !== null) throw new RangeError(`Cannot make a barrier: ${problem}`);
    return {
      name,
      count,
      arrive: async (given) => {
        const options = readOptions(given, awaiterOptionTable, "Cannot arrive at barrier", name);
        options.signal?.throwIfAborted();
        const handle = at === null
          ? this.#openIfFull(this.#arrive(name, count, null))
          : await this.#arriveAt(at, name, count, options);
        try {
          await this.#host.awaiter(handle, options);
        } catch (error) {
          if (gaveUp(error, options.signal)) {
            this.#host.poison(handle, `a participant of barrier "${name}" gave up`).catch(() => {});
          }
          throw error;
        }
      },
    };
  }

  /**
   * Answers {@link barrierHandler}; `enroll` gets the round while it is still pending.
   *
   * @param guest The instance that arrives.
   */
  receive(payload: Uint8Array, guest: InstanceId, enroll: (round: EventHandle) => void): Uint8Array {
    const json = parseControlJson(payload);
    const { name, count } = (json ?? {}) as { readonly name?: unknown; readonly count?: unknown };
    const problem = problemOf(name, count);
    if (problem !== null) {
      throw new ZeromeshError("PAYLOAD_INVALID", `Cannot arrive at a barrier: ${problem}`);
    }
    const round = this.#arrive(name as string, count as number, guest);
    enroll(round.event.handle);
    return encoder.encode(String(this.#openIfFull(round)));
  }

  /** Whether an instance waits at a barrier of this one. */
  waits(guest: InstanceId): boolean {
    return [...this.#rounds.values()].some(({ guests }) => guests.has(guest));
  }

  /** Removes an instance that is gone. A round without other arrivals ends. */
  leave(guest: InstanceId): void {
    for (const round of [...this.#rounds.values()]) {
      if (!round.guests.delete(guest) || round.guests.size > 0 || round.own > 0) continue;
      this.#end(round);
      round.event[Symbol.dispose]();
    }
  }

  /** Counts an arrival; `guest` is null for this instance. */
  #arrive(name: string, count: number, guest: InstanceId | null): Round {
    let round = this.#rounds.get(name);
    if (round !== undefined && round.count !== count) {
      throw new ZeromeshError(
        "PAYLOAD_INVALID",
        `Cannot arrive at barrier "${name}" with count ${count}: its other participants gave ${round.count}`,
      );
    }
    round ??= this.#begin(name, count, guest);
    if (guest === null) round.own++;
    else round.guests.add(guest);
    round.arrived++;
    return round;
  }

  #openIfFull(round: Round): EventHandle {
    if (round.arrived === round.count) {
      this.#end(round);
      round.event.trigger();
    }
    return round.event.handle;
  }

  #begin(name: string, count: number, opener: InstanceId | null): Round {
    if (!this.#shares.take(opener)) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot open barrier "${name}": ${this.#rounds.size} are open, which is the limit (maxBarriers), or one ` +
          "instance's share of it",
      );
    }
    const event = this.#newEvent(opener);
    const round: Round = { name, count, event, opener, guests: new Set(), own: 0, arrived: 0 };
    this.#rounds.set(name, round);
    // A broken round admits no further participants.
    const end = () => this.#end(round);
    this.#host.awaiter(event.handle).then(end, end);
    return round;
  }

  #newEvent(opener: InstanceId | null): Event {
    try {
      return this.#host.newEvent();
    } catch (error) {
      this.#shares.give(opener);
      throw error;
    }
  }

  #end(round: Round): void {
    if (this.#rounds.get(round.name) !== round) return;
    this.#rounds.delete(round.name);
    this.#shares.give(round.opener);
  }

  async #arriveAt(
    at: InstanceId,
    name: string,
    count: number,
    options: AwaiterOptions,
  ): Promise<EventHandle> {
    const answer = await this.#host.arriveAt(at, encoder.encode(JSON.stringify({ name, count })), options);
    try {
      return eventHandle(decoder.decode(answer));
    } catch (error) {
      throw new ZeromeshError(
        "RESULT_INVALID",
        `The answer of peer ${at} to an arrival at a barrier cannot be read`,
        {
          peer: at,
          ran: "yes",
          cause: error,
        },
      );
    }
  }
}

function problemOf(name: unknown, count: unknown): string | null {
  if (typeof name !== "string" || name.length === 0 || name.length > longestName) {
    return `its name must be a text of 1 to ${longestName} characters`;
  }
  if (typeof count !== "number" || !Number.isInteger(count) || count < 1 || count > 65_536) {
    return `its number of participants must be an integer between 1 and 65536, got ${String(count)}`;
  }
  return null;
}

function gaveUp(error: unknown, signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true || (error instanceof ZeromeshError && error.code === "TIMEOUT");
}
