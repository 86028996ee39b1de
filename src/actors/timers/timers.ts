import { checkArgument, Deadline, option, ZeromeshError } from "../../core/mod.ts";
import { CallTurn } from "../cell/call_turn.ts";
import type { CellExtension, TurnCell } from "../cell/parts.ts";
import type { ActorSelf } from "../definition/context.ts";
import { actorText, stopped } from "../failures.ts";

const key = Symbol("timers");

/** What a timer calls, as a turn of its actor. */
export type TimerCall = (context: ActorSelf) => unknown;

/**
 * Starts a timer of an actor.
 *
 * @param ms Time until the call, and between two calls if it repeats.
 * @throws {ZeromeshError} `LIMIT_REACHED` at `maxTimers`, `ACTOR_STOPPED`.
 * @throws {TypeError | RangeError} If the time or the function is none.
 */
export function startTimer(cell: TurnCell, ms: number, call: TimerCall, repeats: boolean): Disposable {
  const cannot = "Cannot start a timer";
  checkArgument("ms", ms, repeats ? option.interval : option.duration, cannot);
  checkArgument("run", call, option.function, cannot);
  if (!cell.takes) throw stopped(cell);
  return cell.extension(key, () => new Timers(cell)).start(ms, call, repeats);
}

/** The timers of an actor that are to call; 0 without some. */
export function timersOf(cell: TurnCell): number {
  return (cell.extensionOf(key) as Timers | undefined)?.size ?? 0;
}

/** The timers of one actor. They end with it, and before it is restarted. */
class Timers implements CellExtension {
  readonly cell: TurnCell;
  readonly #timers = new Set<ActorTimer>();

  constructor(cell: TurnCell) {
    this.cell = cell;
  }

  get size(): number {
    return this.#timers.size;
  }

  start(ms: number, call: TimerCall, repeats: boolean): ActorTimer {
    const { maxTimers } = this.cell.host.options;
    if (this.#timers.size >= maxTimers) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot start a timer: ${actorText(this.cell)} has maxTimers (${maxTimers})`,
      );
    }
    const timer = new ActorTimer(this, ms, call, repeats);
    this.#timers.add(timer);
    this.cell.host.deadlines.add(timer, ms);
    return timer;
  }

  delete(timer: ActorTimer): void {
    this.#timers.delete(timer);
  }

  restarting(): void {
    this.ended();
  }

  ended(): void {
    for (const timer of [...this.#timers]) timer[Symbol.dispose]();
  }
}

class ActorTimer extends Deadline implements Disposable {
  readonly #timers: Timers;
  readonly #ms: number;
  readonly #call: TimerCall;
  readonly #repeats: boolean;
  #turn: CallTurn | null = null;

  constructor(timers: Timers, ms: number, call: TimerCall, repeats: boolean) {
    super();
    this.#timers = timers;
    this.#ms = ms;
    this.#call = call;
    this.#repeats = repeats;
  }

  expire(): void {
    const { cell } = this.#timers;
    const { host } = cell;
    // An actor that is behind gets one turn for all the times that have passed.
    if (this.#turn === null) {
      this.#turn = new CallTurn(host.outside, (context) => this.#run(context as never), "timer");
      cell.push(this.#turn);
    }
    if (!this.#repeats) return;
    const late = Math.max(0, host.clock.now() - this.dueAt);
    host.deadlines.add(this, this.#ms - (late % this.#ms));
  }

  #run(context: ActorSelf): unknown {
    this.#turn = null;
    if (!this.#repeats) this.#timers.delete(this);
    return this.#call(context);
  }

  [Symbol.dispose](): void {
    const { cell } = this.#timers;
    cell.host.deadlines.remove(this);
    this.#timers.delete(this);
    if (this.#turn !== null) cell.remove(this.#turn);
    this.#turn = null;
  }
}
