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
import { type Behaviour, behaviourOf } from "../definition.ts";
import { actorText, stopped, updateFailed } from "../failures.ts";
import { lostWith } from "./contract_match.ts";
import type { Loaded } from "./loading.ts";
import { probationOptionTable, type ResolvedUpdateOptions } from "./update_options.ts";

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
}

const key = Symbol("updates");

/** The updates of one actor. Each is loaded at once; they take place one after the other, each between two messages. */
export class Updates implements CellExtension {
  /** The module that the present behaviour came from; null without one. */
  source: string | null = null;
  readonly #cell: TurnCell;
  #last: Promise<void> | null = null;
  #saved: Saved | null = null;
  #probation: { left: number; readonly until: number } | null = null;
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
    const result = this.#last === null ? run() : this.#last.then(run);
    const ended = (): void => {
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
    const copy = copyOf(state);
    if (next.migrate === null) return this.#checked(next, source, options, state, copy);
    let migrated: unknown;
    try {
      // It gets the copy, so that the state of the old version stays as it is if it fails.
      migrated = (next.migrate as (state: unknown, version: number) => unknown)(copy, behaviour.version);
    } catch (error) {
      throw migrateFailed(cell, error);
    }
    if (!isThenable(migrated)) return this.#checked(next, source, options, migrated, state);
    const { migrateTimeoutMs } = options;
    const late = () => new Error(`it did not end within ${migrateTimeoutMs} ms`);
    const { signal } = this.#ending ??= new AbortController();
    return hold(migrated, { clock: cell.host.clock, timeoutMs: migrateTimeoutMs, signal, late }).then(
      (made) => this.#checked(next, source, options, made, state),
      (error) => {
        throw this.#ended ? error : migrateFailed(cell, error);
      },
    );
  }

  /** Checks the new state against its schema, and swaps. */
  #checked(
    next: Behaviour,
    source: string | null,
    options: ResolvedUpdateOptions,
    state: unknown,
    saved: unknown,
  ): UpdateResult | Promise<UpdateResult> {
    const cell = this.#cell;
    const swap = (checked: unknown): UpdateResult => {
      if (this.#ended) throw stopped(cell);
      const { behaviour } = cell;
      this.#saved = { behaviour, state: saved, source: this.source };
      this.source = source;
      const { probation } = options;
      if (probation === undefined) this.#probation = null;
      else {
        const { failures, withinMs } = withDefaults(probation, probationOptionTable);
        this.#probation = { left: failures, until: cell.host.clock.now() + withinMs };
      }
      cell.swap(next, checked);
      cell.resume();
      return { fromVersion: behaviour.version, toVersion: next.version };
    };
    if (next.stateSchema === null) return swap(state);
    const checked = validate(
      next.stateSchema,
      state,
      (issues, cause) => updateFailed(cell, `its state is invalid: ${describeIssues(issues)}`, cause),
    );
    return checked instanceof Promise ? checked.then(swap) : swap(checked);
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
      const late = () => new Error("it did not end in time");
      return hold(back, { clock: cell.host.clock, timeoutMs: 5_000, late }).then(
        (state) => restore(state, "migrateBack"),
        failed,
      );
    } catch (error) {
      return failed(error);
    }
  }
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
