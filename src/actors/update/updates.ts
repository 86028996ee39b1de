import {
  describeIssues,
  errorText,
  hold,
  isThenable,
  validate,
  withDefaults,
  ZeromeshError,
} from "../../core/mod.ts";
import type { CellExtension, TurnCell } from "../cell/parts.ts";
import { type Behaviour, behaviourOf } from "../definition/behaviour.ts";
import { actorText, stopped, updateFailed } from "../failures.ts";
import { lostWith } from "./contract_match.ts";
import type { Loaded } from "./loading.ts";
import { type Probation, probationOptionTable, type ResolvedUpdateOptions } from "./update_options.ts";

/** The versions before and after an update. */
export interface UpdateResult {
  /** The version before. */
  readonly fromVersion: number;
  /** The version that the actor has now. */
  readonly toVersion: number;
}

/** An update that was undone. */
export interface RollbackResult extends UpdateResult {
  /** `migrateBack`: the state was converted by it. `saved`: it is as it was when the update took place. */
  readonly state: "migrateBack" | "saved";
}

/** What an update replaced. */
interface Saved {
  readonly behaviour: Behaviour;
  readonly state: unknown;
  readonly source: string | null;
  /** Time for `migrateBack`. */
  readonly migrateTimeoutMs: number;
}

/** What is left of a probation. */
interface Trial {
  /** Failures that it still takes. */
  left: number;
  /** When it is over. */
  readonly until: number;
}

const key = Symbol("updates");

/** The updates of one actor. Each is loaded at once; they take place one after the other, each between two messages. */
export class Updates implements CellExtension {
  /** The module that the present behaviour came from; null without one. */
  source: string | null = null;
  readonly #cell: TurnCell;
  #last: Promise<void> | null = null;
  /** Updates and rollbacks that have not ended. */
  #open = 0;
  #saved: Saved | null = null;
  #probation: Trial | null = null;
  #ended = false;
  /** Ends a `migrate` that is waited for. */
  #ending: AbortController | null = null;

  constructor(cell: TurnCell) {
    this.#cell = cell;
  }

  /** Those of an actor. */
  static of(cell: TurnCell): Updates {
    return cell.extension(key, (made) => new Updates(made));
  }

  /** Those of an actor that had an update. */
  static made(cell: TurnCell): Updates | undefined {
    return cell.extensionOf(key) as Updates | undefined;
  }

  /** Replaces what the actor does. @throws {ZeromeshError} `ACTOR_UPDATE_FAILED`, `ACTOR_STOPPED`, `TIMEOUT`. */
  update(
    source: string | null,
    loaded: Loaded | Promise<Loaded>,
    options: ResolvedUpdateOptions,
  ): Promise<UpdateResult> {
    const cell = this.#cell;
    cell.host.events.publish(cell, { type: "updateStarted", source });
    return this.#inOrder(async () => {
      try {
        const result = await this.#apply(loaded, options);
        cell.host.events.publish(cell, { type: "updated", ...result });
        return result;
      } catch (error) {
        cell.host.events.publish(cell, { type: "updateFailed", source, error: errorText(error) });
        throw error;
      }
    });
  }

  /** Undoes the last update. @throws {ZeromeshError} `ACTOR_UPDATE_FAILED` without one. */
  rollback(): Promise<RollbackResult> {
    return this.#inOrder(() => this.#cell.between(() => this.#undo(null)));
  }

  /**
   * A handler has failed.
   *
   * @returns Whether an update is on probation, so that the failure counts against that.
   */
  failed(error: unknown): boolean {
    const probation = this.#probation;
    if (probation === null) return false;
    if (this.#cell.host.clock.now() > probation.until) {
      this.#probation = null;
      return false;
    }
    if (--probation.left > 0) return true;
    this.#probation = null;
    const { host } = this.#cell;
    this.#cell.between(() => this.#undo(error)).catch((refused) => {
      if (!this.#ended) host.logger.warn("an update was not undone", { error: errorText(refused) });
    });
    return true;
  }

  ended(): void {
    this.#ended = true;
    this.#saved = null;
    this.#ending?.abort(stopped(this.#cell));
  }

  /** Runs after the ones before it have ended, whether they failed or not; at once without one. */
  #inOrder<T>(run: () => Promise<T>): Promise<T> {
    const { host } = this.#cell;
    if (this.#open > host.options.maxUpdates) {
      host.updatesRefused++;
      const why = `${this.#open - 1} updates wait already (maxUpdates)`;
      const message = `Cannot update ${actorText(this.#cell)}: ${why}`;
      return Promise.reject(new ZeromeshError("LIMIT_REACHED", message, { ran: "no" }));
    }
    this.#open++;
    const result = this.#last === null ? run() : this.#last.then(run);
    const ended = (): void => {
      this.#open--;
      if (this.#last === last) this.#last = null;
    };
    const last = this.#last = result.then(ended, ended);
    return result;
  }

  async #apply(loaded: Loaded | Promise<Loaded>, options: ResolvedUpdateOptions): Promise<UpdateResult> {
    const cell = this.#cell;
    const { clock } = cell.host;
    const { timeoutMs, signal } = options;
    const until = clock.now() + timeoutMs;
    const late = (what: string) => () =>
      new ZeromeshError("TIMEOUT", `Cannot update ${actorText(cell)}: ${what} within ${timeoutMs} ms`);
    const { definition, source } = loaded instanceof Promise
      ? await hold(loaded, { clock, timeoutMs, signal, late: late("its module was not loaded") })
      : loaded;
    const next = definition[behaviourOf];
    const lost = lostWith(next.contract, cell.behaviour.contract);
    if (lost !== null) throw updateFailed(cell, lost);
    const begun = Promise.withResolvers<void>();
    let givenUp = false;
    const swapped = cell.between(() => {
      if (givenUp) return null;
      begun.resolve();
      return this.#swap(next, source, options);
    });
    swapped.catch(begun.reject);
    try {
      // Until the swap begins; `migrate` has a time of its own.
      const wait = { clock, timeoutMs: until - clock.now(), signal, late: late("its handler did not end") };
      await hold(begun.promise, wait);
    } catch (error) {
      givenUp = true;
      throw error;
    }
    return (await swapped)!;
  }

  /** Between two messages. */
  #swap(
    next: Behaviour,
    source: string | null,
    options: ResolvedUpdateOptions,
  ): UpdateResult | Promise<UpdateResult> {
    const cell = this.#cell;
    const { behaviour, state } = cell;
    // `migrate` gets the copy, so that the state of the old version stays as it is if it fails.
    const copy = copyOf(state);
    const [given, kept] = next.migrate === null ? [state, copy] : [copy, state];
    const saved = { behaviour, state: kept, source: this.source, migrateTimeoutMs: options.migrateTimeoutMs };
    const take = (ready: unknown): UpdateResult => {
      if (this.#ended) throw stopped(cell);
      this.#saved = saved;
      this.source = source;
      this.#probation = probationFrom(options.probation, cell.host.clock.now());
      cell.swap(next, ready);
      cell.resume();
      return { fromVersion: behaviour.version, toVersion: next.version };
    };
    const ready = stateFor(cell, next, given);
    return isThenable(ready) ? this.#within(ready, options.migrateTimeoutMs).then(take) : take(ready);
  }

  /** Waits for a state, within a time and as long as the actor lives. */
  #within(state: PromiseLike<unknown>, timeoutMs: number): Promise<unknown> {
    const cell = this.#cell;
    const { signal } = this.#ending ??= new AbortController();
    const late = () => migrateFailed(cell, new Error(`it did not end within ${timeoutMs} ms`));
    return hold(state, { clock: cell.host.clock, timeoutMs, signal, late });
  }

  /** Between two messages. */
  #undo(cause: unknown): RollbackResult | Promise<RollbackResult> {
    const cell = this.#cell;
    const saved = this.#saved;
    if (saved === null) throw updateFailed(cell, "there is no update to undo");
    const { behaviour: { migrateBack, version } } = cell;
    const restore = (state: unknown, how: RollbackResult["state"]): RollbackResult => {
      const result = { fromVersion: version, toVersion: saved.behaviour.version, state: how };
      this.#saved = this.#probation = null;
      this.source = saved.source;
      cell.swap(saved.behaviour, state);
      cell.resume();
      const error = cause === null ? null : errorText(cause);
      cell.host.events.publish(cell, { type: "rolledBack", ...result, error });
      return result;
    };
    const failed = (error: unknown): RollbackResult => {
      cell.host.logger.warn("migrateBack of an actor failed", {
        actor: cell.address,
        error: errorText(error),
      });
      return restore(saved.state, "saved");
    };
    if (migrateBack === null) return restore(saved.state, "saved");
    try {
      const back = (migrateBack as (state: unknown, version: number) => unknown)(
        cell.state,
        saved.behaviour.version,
      );
      if (!isThenable(back)) return restore(back, "migrateBack");
      return this.#within(back, saved.migrateTimeoutMs).then(
        (state) => restore(state, "migrateBack"),
        failed,
      );
    } catch (error) {
      return failed(error);
    }
  }
}

/** The state for a behaviour: migrated, and checked against its schema. */
function stateFor(cell: TurnCell, next: Behaviour, given: unknown): unknown {
  const { migrate, stateSchema } = next;
  const check = (state: unknown): unknown =>
    stateSchema === null ? state : validate(
      stateSchema,
      state,
      (issues, cause) => updateFailed(cell, `its state is invalid: ${describeIssues(issues)}`, cause),
    );
  if (migrate === null) return check(given);
  const failed = (error: unknown): never => {
    throw migrateFailed(cell, error);
  };
  let migrated: unknown;
  try {
    migrated = (migrate as (state: unknown, version: number) => unknown)(given, cell.behaviour.version);
  } catch (error) {
    return failed(error);
  }
  return isThenable(migrated) ? Promise.resolve(migrated).then(check, failed) : check(migrated);
}

function probationFrom(given: Probation | undefined, now: number): Trial | null {
  if (given === undefined) return null;
  const { failures, withinMs } = withDefaults(given, probationOptionTable);
  return { left: failures, until: now + withinMs };
}

function migrateFailed(cell: TurnCell, error: unknown): ZeromeshError {
  return updateFailed(cell, `migrate failed: ${errorText(error)}`, error);
}

/** A deep copy of a state; the state itself if it holds what cannot be copied, such as functions. */
function copyOf(state: unknown): unknown {
  try {
    return structuredClone(state);
  } catch {
    return state;
  }
}
