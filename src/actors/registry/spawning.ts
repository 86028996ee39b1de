import {
  Alarm,
  errorText,
  isThenable,
  onAbort,
  readOptions,
  withDefaults,
  ZeromeshError,
} from "../../core/mod.ts";
import { type ActorId, newActorId } from "../references/address.ts";
import { runApart } from "../cell/apart.ts";
import { Cell } from "../cell/cell.ts";
import type { CellHost } from "../cell/parts.ts";
import { type ActorDefinition, behaviourOf, isActorDefinition } from "../definition/behaviour.ts";
import { actorAtStart, actorText, handlerFailed } from "../failures.ts";
import type { Registry } from "./registry.ts";
import { mailboxOptionTable, type SpawnOptions, spawnOptionTable } from "../options/spawn_options.ts";

/** What starting an actor needs. */
export interface SpawnParts {
  readonly host: CellHost;
  readonly registry: Registry;
  /** The actor has its place: called before `init`. It may add parts to it. */
  readonly prepare?: ((cell: Cell) => void) | undefined;
  /** `init` has ended well. */
  readonly started: (cell: Cell) => void;
  /** The actor that starts it; null for none. */
  readonly parent: Cell | null;
}

/**
 * Starts an actor: it has its place and its id from the beginning, and its name and messages once `init` has ended. If
 * something fails, nothing is left of it.
 *
 * @throws {ZeromeshError} `ACTOR_EXISTS`, `LIMIT_REACHED`, `TIMEOUT`, `HANDLER_FAILED`.
 * @throws {TypeError} If the definition is none, or an option is unknown or has the wrong type.
 */
export async function spawnCell(
  { host, registry, prepare, started, parent }: SpawnParts,
  definition: ActorDefinition,
  given: SpawnOptions | undefined,
): Promise<Cell> {
  if (!isActorDefinition(definition)) {
    throw new TypeError("Cannot start an actor: the definition must be made by actor()");
  }
  const options = withDefaults(
    readOptions(given, spawnOptionTable, "Cannot start an actor"),
    spawnOptionTable,
  );
  const { name = null, id = newActorId(), replace = false, mailbox, timeoutMs, signal } = options;
  const start = { args: options.args, timeoutMs, supervision: options.supervision };
  signal?.throwIfAborted();
  if (timeoutMs <= 0) throw new ZeromeshError("TIMEOUT", `Cannot start an actor within ${timeoutMs} ms`);
  const limits = mailbox === undefined
    ? host.options.mailbox
    : withDefaults({ ...host.options.mailbox, ...mailbox }, mailboxOptionTable);
  const behaviour = definition[behaviourOf];
  const cell = new Cell({ host, id: id as ActorId, name, behaviour, mailbox: limits, start, parent });
  registry.add(cell, replace);
  try {
    prepare?.(cell);
    cell.state = await initialState(cell, signal);
    if (cell.phase === "stopped") {
      throw new ZeromeshError("ACTOR_STOPPED", `${actorAtStart(cell)} was stopped during init`);
    }
  } catch (error) {
    cell.terminate({ reason: "failed", error });
    throw error;
  }
  const holder = registry.takeName(cell);
  started(cell);
  cell.begin();
  if (holder !== null) await holder.stop({ reason: "replaced" });
  return cell;
}

/**
 * What `init` makes, within its time.
 *
 * @throws {ZeromeshError} `HANDLER_FAILED`, `TIMEOUT`, and the error of the library that `init` threw.
 */
export async function initialState(cell: Cell, signal?: AbortSignal): Promise<unknown> {
  const { host, behaviour, start: { args, timeoutMs } } = cell;
  try {
    const init = behaviour.init as (args: unknown, context: unknown) => unknown;
    return await runApart(cell, (context) => {
      const state = init(args, context);
      return isThenable(state) ? host.holding.during(within(host, cell, state, timeoutMs, signal)) : state;
    });
  } catch (error) {
    throw error instanceof ZeromeshError || (signal?.aborted && error === signal.reason)
      ? error
      : named(handlerFailed("init", error), cell, error);
  }
}

function named(failure: ZeromeshError, cell: Cell, cause: unknown): ZeromeshError {
  return new ZeromeshError(
    failure.code,
    `init of ${actorText(cell)} failed: ${errorText(cause)}`,
    {
      cause,
      handler: "init",
      ran: "yes",
    },
  );
}

/** Waits for `init`, within its time and as long as the actor lives. */
async function within(
  host: CellHost,
  cell: Cell,
  state: PromiseLike<unknown>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { promise, resolve, reject } = Promise.withResolvers<unknown>();
  const late = () =>
    reject(new ZeromeshError("TIMEOUT", `init of ${actorText(cell)} did not end within ${timeoutMs} ms`));
  const alarm = new Alarm(late);
  host.deadlines.add(alarm, timeoutMs);
  using _listening = onAbort(signal, () => reject(signal?.reason));
  Promise.resolve(state).then(resolve, reject);
  void cell.ended.then(resolve);
  try {
    return await promise;
  } finally {
    host.deadlines.remove(alarm);
  }
}
