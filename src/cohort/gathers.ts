import { type InstanceId, onAbort, Shares, ZeromeshError } from "../core/mod.ts";
import { peerText } from "../messenger/mod.ts";
import type { Member } from "./members.ts";

// Names in use. Each holds at most one value per worker.
const maxGathers = 1_024;

interface Arrival {
  readonly value: unknown;
  resolve(values: unknown[]): void;
  reject(error: unknown): void;
}

/** The arrivals at a name, and the worker that was first. */
class Arrivals extends Map<InstanceId, Arrival> {
  readonly opener: InstanceId;

  constructor(opener: InstanceId) {
    super();
    this.opener = opener;
  }
}

/** Barriers and all-gathers: a worker waits until all others have arrived, and gets the values of all. */
export class Gathers {
  readonly #byName = new Map<string, Arrivals>();
  /** Names by the worker that began them. */
  readonly #shares = new Shares<InstanceId>(maxGathers);
  readonly #wanted: () => readonly InstanceId[] | null;

  /** @param wanted The workers that have to arrive, in the order of the values; null while unknown. */
  constructor(wanted: () => readonly InstanceId[] | null) {
    this.#wanted = wanted;
  }

  /** Waits for all others. A worker that gives up counts as not arrived. */
  async arrive(name: string, who: InstanceId, value: unknown, signal: AbortSignal): Promise<unknown[]> {
    let arrivals = this.#byName.get(name);
    if (arrivals === undefined) {
      if (!this.#shares.take(who)) {
        const why = `${this.#byName.size} barriers are open, which is the limit, or one worker's share of it`;
        throw new ZeromeshError("OVERLOADED", why, { ran: "no" });
      }
      this.#byName.set(name, arrivals = new Arrivals(who));
    }
    if (arrivals.has(who)) {
      throw new Error(`Worker ${who} waits at "${name}" already`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown[]>();
    const arrival = { value, resolve, reject };
    arrivals.set(who, arrival);
    const listening = onAbort(signal, () => {
      if (arrivals.get(who) === arrival) arrivals.delete(who);
      if (arrivals.size === 0) this.#close(name, arrivals);
      reject(signal.reason);
    });
    this.check(name);
    try {
      return await promise;
    } finally {
      listening[Symbol.dispose]();
    }
  }

  /** Completes a name if all have arrived; called after an arrival and when the workers change. */
  check(name: string): void {
    const arrivals = this.#byName.get(name);
    const wanted = this.#wanted();
    if (arrivals === undefined || wanted === null || !wanted.every((id) => arrivals.has(id))) return;
    this.#close(name, arrivals);
    const values = wanted.map((id) => arrivals.get(id)!.value);
    for (const arrival of arrivals.values()) arrival.resolve(values);
  }

  /** {@link check} for all names. */
  checkAll(): void {
    for (const name of [...this.#byName.keys()]) this.check(name);
  }

  /** Removes the values of a worker that is gone. @param all Whether the others cannot go on without it. */
  forget(worker: Pick<Member, "instanceId" | "name">, all = false): void {
    const { instanceId: who } = worker;
    const gone = new ZeromeshError("COHORT_WORKER_LOST", `Worker ${peerText(worker)} has left or was lost`, {
      peer: who,
    });
    if (all) return this.end(gone);
    for (const [name, arrivals] of [...this.#byName]) {
      arrivals.get(who)?.reject(gone);
      arrivals.delete(who);
      if (arrivals.size === 0) this.#close(name, arrivals);
    }
    this.checkAll();
  }

  /** Fails all gathers. */
  end(error: Error): void {
    for (const [name, arrivals] of [...this.#byName]) {
      this.#close(name, arrivals);
      for (const arrival of arrivals.values()) arrival.reject(error);
    }
  }

  #close(name: string, arrivals: Arrivals): void {
    if (this.#byName.get(name) !== arrivals) return;
    this.#byName.delete(name);
    this.#shares.give(arrivals.opener);
  }
}
