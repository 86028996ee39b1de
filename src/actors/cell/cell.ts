import { errorText, isThenable, type TimeSlice } from "../../core/mod.ts";
import type { ActorId } from "../references/address.ts";
import type { Behaviour } from "../definition/behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import { dropped as droppedError, mailboxFull, senderLate, stopped as stoppedError } from "../failures.ts";
import type { CellParts, CellStart } from "./cell_start.ts";
import { measure, type MeasuredCell, noteArrival, runTraced, type TurnMeter } from "./turn_meter.ts";
import { type ApartCell, runApart } from "./apart.ts";
import { Bound } from "./bound.ts";
import { Boundary } from "./boundary.ts";
import type { CellPool } from "./cell_pool.ts";
import { Mailbox, type RoomWait } from "./mailbox.ts";
import type { CellExtension, CellHost, OpenReply, Turn, TurnCell, Waited } from "./parts.ts";
import type { ActorPhase } from "./phase.ts";
import type { Runnable } from "./scheduler.ts";

/** One actor at run time: its mailbox, its state, and the turn that runs. */
export class Cell implements ApartCell, MeasuredCell, Runnable {
  // What every message uses comes first, so that it lies together in memory: with a thousand actors each message finds
  // its actor out of the processor's cache.
  ready = false;
  phase: ActorPhase = "starting";
  current: Turn | null = null;
  readonly mailbox: Mailbox;
  #held = false;
  #boundary: Boundary | null = null;
  readonly host: CellHost;
  behaviour: Behaviour;
  turnNumber = 0;
  apart = -1;
  nextMeasured = 1;
  measuresNext = true;
  meter: TurnMeter | null = null;
  /** Turns whose handler has ended well. */
  handled = 0;
  waits: Set<Waited> | null = null;
  #idle: (() => void) | null = null;
  state: unknown = undefined;
  readonly id: ActorId;
  name: string | null;
  replies: Set<OpenReply> | null = null;
  events = 0;
  /** Turns whose handler has failed. */
  failures = 0;
  /** Whether its start was told to those who watch registrations. */
  announced = false;
  /** The text of the last failure; null without one. */
  failure: string | null = null;
  /** How often it was restarted. */
  restarts = 0;
  readonly start: CellStart;
  /** When it was made, on the clock. */
  readonly madeAt: number;
  /** The actor that started it; null for none. */
  readonly parent: Cell | null;
  /** The members to which its messages go; null unless it is a pool. */
  pool: CellPool<Cell> | null = null;
  /** Whether its first `init` has ended well. */
  begun = false;
  #paused = false;
  // All of these are made on first use, because most actors need none.
  #address: string | null = null;
  #extensions: Map<symbol, CellExtension> | null = null;
  #ending: PromiseWithResolvers<ActorEnd> | null = null;
  #farewell: Promise<void> | null = null;

  constructor({ host, id, name, behaviour, mailbox, start, parent }: CellParts<Cell>) {
    this.host = host;
    this.id = id;
    this.name = name;
    this.behaviour = behaviour;
    this.mailbox = new Mailbox(mailbox);
    this.start = start;
    this.parent = parent;
    this.madeAt = host.clock.now();
  }

  get address(): string {
    return this.#address ??= `${this.id}@${this.host.instanceId}`;
  }

  get runningTurn(): number {
    return this.current !== null ? this.turnNumber : this.apart;
  }

  /** Whether a message certainly gets a place at once. */
  get hasRoom(): boolean {
    return this.pool === null && this.mailbox.hasRoom;
  }

  get takes(): boolean {
    return this.phase !== "stopping" && this.phase !== "stopped";
  }

  /** Handles messages from now on: `init` has ended. */
  begin(): void {
    if (this.phase !== "starting") return;
    this.begun = true;
    this.phase = this.#paused ? "paused" : "running";
    this.#next();
  }

  /** Whether a restart holds its messages back. */
  get held(): boolean {
    return this.phase === "failed" || this.phase === "restarting";
  }

  /** Handles no messages until it has another state: it has failed, or is restarted. */
  hold(phase: "failed" | "restarting"): void {
    if (this.takes && this.phase !== "starting") this.phase = phase;
  }

  /**
   * Takes a message, within the mailbox's capacity.
   *
   * @returns Null when the mailbox has it, or a promise while the sender waits for room.
   * @throws {ZeromeshError} `ACTOR_STOPPED`, `ACTOR_MAILBOX_FULL`.
   */
  deliver(turn: Turn, wait: RoomWait): Promise<void> | null {
    if (!this.takes) throw stoppedError(this);
    const { mailbox } = this;
    if (mailbox.hasRoom) {
      mailbox.push(turn);
      if (this.measuresNext) noteArrival(this);
      const { scheduler } = this.host;
      if (!this.ready && this.#canRun) scheduler.add(this);
      scheduler.pushed();
      return null;
    }
    return this.#full(turn, wait);
  }

  #full(turn: Turn, wait: RoomWait): Promise<void> | null {
    const { mailbox } = this;
    // A sender that goes on without a turn of the event loop must not hold the actor up.
    this.host.scheduler.pushed();
    const { overflow, maxWaiting } = mailbox.limits;
    if (overflow === "wait" && mailbox.waiting < maxWaiting) {
      const late = () => senderLate(this, wait.timeoutMs);
      return this.host.holding.during(mailbox.wait(turn, this.host.deadlines, wait, late));
    }
    if (overflow === "wait" || overflow === "fail") throw mailboxFull(this, mailbox);
    const loser = overflow === "dropNewest" ? turn : mailbox.oldest()!;
    if (loser !== turn) mailbox.push(turn);
    loser.dropped(this, "dropped", droppedError(this));
    return null;
  }

  /** Takes a message as {@link deliver}, but runs it at once if nothing is before it. */
  receive(turn: Turn, wait: RoomWait): Promise<void> | null {
    if (this.mailbox.size > 0 || !this.#canRun) return this.deliver(turn, wait);
    this.#execute(turn);
    return null;
  }

  push(turn: Turn): boolean {
    if (this.phase === "stopped") return false;
    this.mailbox.push(turn);
    this.#wake();
    return true;
  }

  remove(turn: Turn): boolean {
    return this.mailbox.remove(turn);
  }

  run(slice: TimeSlice | null): boolean {
    const { mailbox } = this;
    while (mailbox.size > 0 && this.#canRun) {
      this.#execute(mailbox.shift()!);
      if (slice === null || slice.spend()) return mailbox.size > 0 && this.#canRun;
    }
    return false;
  }

  /** Whether the next turn may run now. */
  get #canRun(): boolean {
    return this.phase === "running" && !this.#held && this.current === null &&
      (this.#boundary === null || this.#boundary.free);
  }

  #wake(): void {
    if (!this.ready && this.#canRun && this.mailbox.size > 0) this.host.scheduler.add(this);
  }

  #execute(turn: Turn): void {
    this.turnNumber++;
    this.current = turn;
    let result: unknown;
    try {
      if (this.turnNumber >= this.nextMeasured) result = measure(this, turn);
      else result = turn.origin.trace === null ? turn.run(this) : runTraced(turn, this);
      if (isThenable(result)) return this.#await(turn, result);
    } catch (error) {
      return this.#failed(turn, error);
    }
    // The handler may have terminated its own actor.
    if (this.current === turn) this.#done(turn, result);
  }

  // Apart, because its closures would cost every turn.
  #await(turn: Turn, result: unknown): void {
    const failed = (error: unknown): void => this.#failed(turn, error);
    Promise.resolve(result).then((value) => this.#settled(turn, value), failed);
  }

  #done(turn: Turn, result: unknown): void {
    this.handled++;
    this.host.turns.handled++;
    this.current = this.waits = null;
    turn.done(this, result);
    if (this.#idle !== null || this.#boundary !== null) this.#next();
  }

  /** As {@link #done}, for a promise. A terminated actor's handler may still end. */
  #settled(turn: Turn, result: unknown): void {
    if (this.current !== turn) return;
    this.#done(turn, result);
    this.#wake();
  }

  #failed(turn: Turn, error: unknown): void {
    if (this.current !== turn) return;
    if (turn.excuses(error)) return this.#settled(turn, undefined);
    this.failures++;
    this.host.turns.failed++;
    this.failure = errorText(error);
    this.current = this.waits = null;
    turn.failed(this, error);
    this.host.handlerFailed(this, turn, error);
    this.#next();
  }

  #next(): void {
    const idle = this.#idle;
    if (idle !== null) {
      this.#idle = null;
      idle();
    } else if (this.#boundary !== null && !this.#boundary.free) this.#boundary.advance();
    else this.#wake();
  }

  between<T>(run: () => T | Promise<T>): Promise<T> {
    if (!this.takes) return Promise.reject(stoppedError(this));
    this.#boundary ??= new Boundary(
      () => this.current === null && this.phase !== "starting",
      () => this.#wake(),
    );
    return this.#boundary.add(run);
  }

  swap(behaviour: Behaviour, state: unknown): void {
    this.behaviour = behaviour;
    this.state = state;
    this.#farewell = null;
    if (!this.held) return;
    this.phase = this.#paused ? "paused" : "running";
    this.#wake();
  }

  /** Whether {@link pause} was called last. */
  get paused(): boolean {
    return this.#paused;
  }

  pause(): void {
    this.#paused = true;
    if (this.phase === "running") this.phase = "paused";
  }

  resume(): void {
    this.#paused = false;
    if (this.phase !== "paused") return;
    this.phase = "running";
    this.#wake();
  }

  /** Leaves messages in the mailbox although the actor is running, for a reader that takes them one by one. */
  holdBack(held: boolean): void {
    this.#held = held;
    this.#wake();
  }

  extension<T extends CellExtension>(key: symbol, make: (cell: TurnCell) => T): T {
    const extensions = this.#extensions ??= new Map();
    let found = extensions.get(key);
    if (found === undefined) {
      // Nothing would end a part of an actor that has ended.
      if (this.phase === "stopped") throw stoppedError(this);
      extensions.set(key, found = make(this));
    }
    return found as T;
  }

  extensionOf(key: symbol): CellExtension | undefined {
    return this.#extensions?.get(key);
  }

  /** Resolves when it has ended. */
  get ended(): Promise<ActorEnd> {
    return (this.#ending ??= Promise.withResolvers()).promise;
  }

  stop(end: ActorEnd, stopMs: number = this.host.options.stopMs): Promise<ActorEnd> {
    const { ended } = this;
    if (this.takes) {
      this.phase = "stopping";
      this.mailbox.refuseWaiting(() => stoppedError(this));
      void this.host.holding.during(this.#stop(end, stopMs));
    }
    return ended;
  }

  /** In order: the running handler, children, `onStop`; then whatever waits for it is told. */
  async #stop(end: ActorEnd, stopMs: number): Promise<void> {
    const { host } = this;
    const bound = new Bound(host, stopMs);
    try {
      if (this.current !== null) {
        const { promise: idle, resolve: settled } = Promise.withResolvers<void>();
        this.#idle = settled;
        await bound.wait(idle);
        // Its handler goes on, and nothing waits for it.
        this.#abortCurrent();
      }
      await this.#leave((one) => one.stopping?.(bound.leftMs), bound);
    } finally {
      bound.end();
      this.#end(end);
    }
  }

  /** Ends what belongs to its state, between two turns, within a time: it will get another state. */
  async clear(stopMs: number): Promise<void> {
    const bound = new Bound(this.host, stopMs);
    try {
      await this.#leave((one) => one.restarting?.(bound.leftMs), bound);
    } finally {
      bound.end();
    }
    const error = stoppedError(this);
    for (const reply of [...this.replies ?? []]) reply.stopped(error);
    this.replies = null;
  }

  /** Its extensions, then `onStop`, once for each state. */
  async #leave(hook: (one: CellExtension) => void | Promise<void>, bound: Bound): Promise<void> {
    for (const one of [...this.#extensions?.values() ?? []]) {
      const ended = hook(one);
      if (ended !== undefined) await bound.wait(ended);
    }
    if (this.behaviour.onStop === null || !this.begun || this.phase === "stopped") return;
    await bound.wait(this.#farewell ??= this.#onStop());
  }

  /** Waits no more for the running handler. */
  cutTurn(): void {
    this.#abortCurrent();
    this.#next();
  }

  async #onStop(): Promise<void> {
    try {
      await runApart(this, (context) => (this.behaviour.onStop as (context: unknown) => unknown)(context));
    } catch (error) {
      this.host.logger.warn("onStop of an actor failed", { actor: this.address, error: errorText(error) });
    }
  }

  terminate(end: ActorEnd = { reason: "terminated" }): void {
    this.#abortCurrent();
    this.#end(end);
  }

  #abortCurrent(): void {
    const turn = this.current;
    if (turn === null) return;
    this.current = this.waits = null;
    turn.cutShort(stoppedError(this));
  }

  #end(end: ActorEnd): void {
    if (this.phase === "stopped") return;
    this.phase = "stopped";
    this.mailbox.refuseWaiting(() => stoppedError(this));
    const error = stoppedError(this);
    for (let turn = this.mailbox.shift(); turn !== null; turn = this.mailbox.shift()) {
      turn.dropped(this, "stopped", error);
    }
    for (const reply of [...this.replies ?? []]) reply.stopped(error);
    this.replies = null;
    this.#boundary?.close(error);
    for (const one of this.#extensions?.values() ?? []) one.ended?.(end);
    this.#extensions = null;
    this.host.ended(this, end);
    this.state = undefined;
    (this.#ending ??= Promise.withResolvers()).resolve(end);
  }
}
