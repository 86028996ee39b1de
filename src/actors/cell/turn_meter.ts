import { isThenable } from "../../core/mod.ts";
import type { Turn, TurnCell } from "./parts.ts";

/** Times that were measured. */
export interface TurnTimes {
  /** How many. */
  readonly samples: number;
  /** Their mean, in milliseconds; 0 without one. */
  readonly meanMs: number;
  /** The longest one, in milliseconds. */
  readonly maxMs: number;
}

/** {@link TurnTimes}, while they change. */
export class Times {
  #samples = 0;
  #totalMs = 0;
  #maxMs = 0;

  /** Adds one. */
  add(ms: number): void {
    this.#samples++;
    this.#totalMs += ms;
    this.#maxMs = Math.max(this.#maxMs, ms);
  }

  /** Adds those of another actor. */
  join(other: Times): void {
    this.#samples += other.#samples;
    this.#totalMs += other.#totalMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /** What is shown of them. */
  get shown(): TurnTimes {
    const samples = this.#samples;
    return { samples, meanMs: samples === 0 ? 0 : this.#totalMs / samples, maxMs: this.#maxMs };
  }
}

// An actor without a contract may get messages of any name.
const mostNames = 256;

/** The times of an actor. */
export class TurnMeter {
  /** How long handlers ran, with what they waited for. */
  readonly handler: Times = new Times();
  /** How long messages were in the mailbox. */
  readonly wait: Times = new Times();
  /** {@link handler} by kind and name of the message. */
  readonly names: Map<string, Times> = new Map();
  /** The number that the turn of a message in the mailbox will have, which is measured; 0 for none. */
  due = 0;
  /** When that came. */
  arrivedAt = 0;
  /** The number of the next turn that is measured whether its message was or not. */
  next = 0;

  /** A handler has ended. */
  add({ kind, name }: Turn, ms: number): void {
    this.handler.add(ms);
    const key = kind === "call" ? name : `${kind} ${name}`;
    let times = this.names.get(key);
    if (times === undefined) {
      if (this.names.size >= mostNames) return;
      this.names.set(key, times = new Times());
    }
    times.add(ms);
  }
}

/**
 * An actor whose turns are measured: its first ones, and one of 256 after them, because reading the clock for each would cost
 * a tell a good part of its time. The numbers are the actor's own, so that a turn which is not measured costs one comparison.
 */
export interface MeasuredCell extends TurnCell {
  readonly mailbox: { readonly size: number };
  /** The number of the next turn that is measured. */
  nextMeasured: number;
  /** Whether the next message is measured that comes to the mailbox. */
  measuresNext: boolean;
  /** Made on first use. */
  meter: TurnMeter | null;
}

/** A message has come to the mailbox which is measured. */
export function noteArrival(cell: MeasuredCell): void {
  const meter = cell.meter ??= new TurnMeter();
  cell.measuresNext = false;
  meter.arrivedAt = cell.host.clock.now();
  meter.due = cell.turnNumber + cell.mailbox.size;
  cell.nextMeasured = Math.min(cell.nextMeasured, meter.due);
}

/** Calls a handler within its trace. */
export function runTraced(turn: Turn, cell: TurnCell): unknown {
  return turn.origin.trace!.run(() => turn.run(cell));
}

/** Calls a handler, and measures it. */
export function measure(cell: MeasuredCell, turn: Turn): unknown {
  const { turnNumber: number, host: { clock } } = cell;
  const meter = cell.meter ??= new TurnMeter();
  const begunAt = clock.now();
  if (meter.due > 0 && number >= meter.due) {
    meter.wait.add(begunAt - meter.arrivedAt);
    meter.due = 0;
  }
  if (number >= meter.next) {
    meter.next = number + (number < 10 ? 1 : 256);
    cell.measuresNext = meter.due === 0;
  }
  cell.nextMeasured = meter.due === 0 ? meter.next : Math.min(meter.next, meter.due);
  const ended = (): void => meter.add(turn, clock.now() - begunAt);
  let result: unknown;
  try {
    result = turn.origin.trace === null ? turn.run(cell) : runTraced(turn, cell);
  } catch (error) {
    ended();
    throw error;
  }
  if (!isThenable(result)) {
    ended();
    return result;
  }
  const promise = Promise.resolve(result);
  promise.then(ended, ended);
  return promise;
}
