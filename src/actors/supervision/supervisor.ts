import { Alarm, Backoff, errorText, type Logger, type Timed, ZeromeshError } from "../../core/mod.ts";
import type { ActorEvents } from "../cell/actor_events.ts";
import type { Cell } from "../cell/cell.ts";
import type { CellExtension } from "../cell/parts.ts";
import { actorAtStart } from "../failures.ts";
import { initialState } from "../registry/spawning.ts";
import { groupOf } from "./children.ts";
import { type Supervision, supervisionOf } from "../options/supervision_options.ts";

const key = Symbol("restarts");

/** What a supervisor needs of its system. */
export interface SupervisorParts extends Timed {
  readonly logger: Logger;
  readonly events: Pick<ActorEvents, "publish">;
}

/** Meets the failures of actors by the policies of their definitions. */
export class Supervisor {
  /** Restarts, and failures that went on to a parent, since the start. */
  restarts = 0;
  escalations = 0;
  readonly #parts: SupervisorParts;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
  }

  /** A handler has failed, or a child has failed too often. */
  failed(cell: Cell, handler: string, error: unknown): void {
    this.#parts.logger.warn("a handler of an actor failed", {
      actor: cell.address,
      handler,
      error: errorText(error),
    });
    // One that is to be restarted already, or whose first init runs, has nothing to lose.
    if (!cell.takes || cell.held || cell.phase === "starting") return;
    const supervision = rulesOf(cell);
    if (supervision.onFailure !== "resume") this.#meet(cell, supervision, error);
  }

  /**
   * Restarts an actor, or several, each with a state of its own: first all of them end what belongs to the old states,
   * then `init` runs for one after the other. Their running handlers end before, within the time for stopping.
   *
   * @throws {ZeromeshError} The error of the actor whose `init` has failed or which has ended; of several, an
   * `AggregateError` with all of them.
   */
  async restart(group: readonly Cell[]): Promise<void> {
    const { promise: allClear, resolve } = Promise.withResolvers<void>();
    let left = group.length;
    let before = allClear;
    const renewals = group.map((cell) => {
      let clear = (): void => {
        clear = () => {};
        if (--left === 0) resolve();
      };
      const cleared = (): void => clear();
      const renewal = this.#renew(cell, cleared, before).finally(cleared);
      before = renewal.catch(() => {});
      return renewal;
    });
    const errors = (await Promise.allSettled(renewals)).flatMap((one) =>
      one.status === "rejected" ? [one.reason as unknown] : []
    );
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} actors could not be restarted`);
    if (errors.length === 1) throw errors[0];
  }

  async #renew(cell: Cell, cleared: () => void, before: Promise<void>): Promise<void> {
    const { deadlines, options: { stopMs } } = cell.host;
    cell.hold("restarting");
    const cut = new Alarm(() => cell.cutTurn());
    if (cell.current !== null) deadlines.add(cut, stopMs);
    try {
      await cell.between(async () => {
        deadlines.remove(cut);
        // An update may have come before it.
        cell.hold("restarting");
        await cell.clear(stopMs);
        cleared();
        await before;
        if (cell.takes) await this.#begin(cell);
      });
    } finally {
      // One that stops instead has its own time.
      deadlines.remove(cut);
    }
  }

  async #begin(cell: Cell): Promise<void> {
    try {
      const state = await initialState(cell);
      if (!cell.takes) return;
      cell.restarts++;
      this.restarts++;
      cell.swap(cell.behaviour, state);
      this.#parts.events.publish(cell, { type: "restarted", restarts: cell.restarts });
    } catch (error) {
      if (!cell.takes) return;
      cell.failure = errorText(error);
      this.#parts.logger.warn("the restart of an actor failed", {
        actor: cell.address,
        error: errorText(error),
      });
      // Without a state it cannot go on.
      this.#meet(cell, rulesOf(cell), error);
      throw error;
    }
  }

  /** Restarts an actor after a while, or stops it. */
  #meet(cell: Cell, { onFailure, maxRestarts, withinMs, backoff }: Supervision, error: unknown): void {
    if (onFailure !== "restart") return void cell.stop({ reason: "failed", error });
    const history = cell.extension(key, () => new History(cell));
    const times = history.since(this.#parts.clock.now() - withinMs);
    if (times.length >= maxRestarts) return this.#escalate(cell, error);
    if (times.length === 0) history.backoff = new Backoff(backoff);
    times.push(this.#parts.clock.now());
    cell.hold("failed");
    history.wait(history.backoff.next(), () => this.#due(cell));
  }

  #due(cell: Cell): void {
    // An update has repaired it, or it stops.
    if (cell.phase !== "failed") return;
    const { parent } = cell;
    const group = parent === null ? [cell] : groupOf(cell, rulesOf(parent).strategy);
    // A failure of `init` is met again in there.
    this.restart(group).catch(() => {});
  }

  #escalate(cell: Cell, error: unknown): void {
    const { parent } = cell;
    this.escalations++;
    void cell.stop({ reason: "failed", error });
    if (parent === null) return;
    const { maxRestarts, withinMs } = rulesOf(cell);
    const message = `${
      actorAtStart(cell)
    } has failed again after ${maxRestarts} restarts within ${withinMs} ms: ${errorText(error)}`;
    this.failed(parent, "child", new ZeromeshError("HANDLER_FAILED", message, { cause: error }));
  }
}

function rulesOf({ behaviour, start }: Cell): Supervision {
  return supervisionOf(behaviour.supervision, start.supervision);
}

/** The restarts of one actor. */
class History implements CellExtension {
  backoff: Backoff = new Backoff();
  readonly #cell: Cell;
  #times: number[] = [];
  #alarm: Alarm | null = null;

  constructor(cell: Cell) {
    this.#cell = cell;
  }

  /** The moments of the restarts since a moment, which are kept. */
  since(moment: number): number[] {
    return this.#times = this.#times.filter((time) => time > moment);
  }

  /** Calls after a time, unless the actor ends before. */
  wait(ms: number, due: () => void): void {
    this.ended();
    this.#cell.host.deadlines.add(this.#alarm = new Alarm(due), ms);
  }

  ended(): void {
    if (this.#alarm !== null) this.#cell.host.deadlines.remove(this.#alarm);
    this.#alarm = null;
  }
}
