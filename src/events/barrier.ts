import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import { type EventHandle, eventHandle } from "./handle.ts";
import { Latch } from "./latch.ts";
import type { MergeHost } from "./merge.ts";
import type { AwaiterOptions } from "./waiting.ts";

/** How to make a barrier. */
export interface BarrierOptions {
  /** The instance where everybody meets. @default {this one} */
  at?: InstanceId | undefined;
}

/** A place where a number of participants, in any processes, wait for each other. */
export interface Barrier {
  /** Its name at the instance where everybody meets. */
  readonly name: string;
  /** How many are waited for. */
  readonly count: number;
  /**
   * Arrives, and resolves when all have. The next round begins after that. A participant that gives up breaks the
   * round for all: the others end with `EVENT_POISONED`.
   *
   * @throws {ZeromeshError} `EVENT_POISONED` when the round is broken, `EVENT_OWNER_LOST` when the instance where
   * everybody meets is gone, `TIMEOUT`, `PAYLOAD_INVALID` when others wait for another number.
   */
  arrive(options?: AwaiterOptions): Promise<void>;
}

/** What barriers need of their manager. */
export interface BarrierHost extends MergeHost {
  /** Waits for a round. */
  awaiter(handle: EventHandle, options?: AwaiterOptions): Promise<unknown>;
  /** Breaks a round. */
  poison(handle: EventHandle, reason: string): Promise<void>;
  /** Arrives at another instance; the answer is the round's handle as text. */
  arriveAt(at: InstanceId, payload: Uint8Array, options: AwaiterOptions): Promise<Uint8Array>;
}

/** Handler by which participants arrive from elsewhere: JSON `{"name","count"}`, answered with the round's handle. */
export const barrierHandler = "_event_barrier";

const longestName = 256;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The barriers that others meet at here, and the way to those elsewhere. */
export class Barriers {
  readonly #host: BarrierHost;
  readonly #maxBarriers: number;
  readonly #rounds = new Map<string, { readonly count: number; readonly latch: Latch }>();

  /** @param maxBarriers The most rounds that are open at a time. */
  constructor(host: BarrierHost, maxBarriers: number) {
    this.#host = host;
    this.#maxBarriers = maxBarriers;
  }

  /** Rounds that are open. */
  get size(): number {
    return this.#rounds.size;
  }

  /** A barrier here, or at another instance. */
  open(name: string, count: number, at: InstanceId | null): Barrier {
    const problem = problemOf(name, count);
    if (problem !== null) throw new RangeError(`Cannot make a barrier: ${problem}`);
    return {
      name,
      count,
      arrive: async (options = {}) => {
        options.signal?.throwIfAborted();
        const handle = at === null
          ? this.arrive(name, count)
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

  /** Somebody arrives here. Returns the round's handle. */
  arrive(name: string, count: number): EventHandle {
    let round = this.#rounds.get(name);
    if (round !== undefined && round.count !== count) {
      throw new ZeromeshError(
        "PAYLOAD_INVALID",
        `Cannot arrive at barrier "${name}" for ${count}: others wait there for ${round.count}`,
      );
    }
    if (round === undefined) round = this.#begin(name, count);
    const { latch } = round;
    latch.arrive();
    if (latch.remaining === 0) this.#rounds.delete(name);
    return latch.handle;
  }

  /** Answers {@link barrierHandler}; `enroll` is told the round while it is still pending. */
  receive(payload: Uint8Array, enroll: (round: EventHandle) => void): Uint8Array {
    let json: unknown;
    try {
      json = JSON.parse(decoder.decode(payload));
    } catch {
      json = null;
    }
    const { name, count } = (json ?? {}) as { readonly name?: unknown; readonly count?: unknown };
    const problem = problemOf(name, count);
    if (problem !== null) {
      throw new ZeromeshError("PAYLOAD_INVALID", `Cannot arrive at a barrier: ${problem}`);
    }
    const round = this.arrive(name as string, count as number);
    enroll(round);
    return encoder.encode(String(round));
  }

  #begin(name: string, count: number): { readonly count: number; readonly latch: Latch } {
    if (this.#rounds.size >= this.#maxBarriers) {
      throw new ZeromeshError(
        "QUEUE_FULL",
        `Cannot open barrier "${name}": ${this.#rounds.size} are open, which is the limit (maxBarriers)`,
      );
    }
    const round = { count, latch: new Latch(this.#host, count) };
    this.#rounds.set(name, round);
    const end = () => {
      if (this.#rounds.get(name) === round) this.#rounds.delete(name);
      round.latch.poison("the round is broken");
    };
    // A round that somebody breaks is not where the next ones meet.
    this.#host.awaiter(round.latch.handle).then(end, end);
    return round;
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
      throw new ZeromeshError("RESULT_INVALID", `${at} answers an arrival at a barrier with something else`, {
        peer: at,
        ran: "yes",
        cause: error,
      });
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
