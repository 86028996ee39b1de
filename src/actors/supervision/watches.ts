import { checkArgument, errorText, option, ZeromeshError } from "../../core/mod.ts";
import type { HandlerTrace } from "../../messenger/mod.ts";
import type { ActorAddress } from "../references/address.ts";
import { CallTurn } from "../cell/call_turn.ts";
import type { CellExtension, CellHost, TurnCell } from "../cell/parts.ts";
import type { ActorSelf } from "../definition/context.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import { actorText, stopped } from "../failures.ts";

const watchersKey = Symbol("watchers");
const watchesKey = Symbol("watches");

/** What is told of an actor's end. */
export type EndCall = (end: ActorEnd, context: ActorSelf) => unknown;

/** What watches need of their system. */
export interface WatchesParts extends Pick<CellHost, "instanceId" | "options" | "logger"> {
  /** The actor of this system with an id or name; null without one. */
  find(target: string): TurnCell | null;
  /** Watches an actor of another instance. @param within The trace of the handler that watches; null without one. */
  watchRemote(ref: ActorAddress, ended: (end: ActorEnd) => void, within: HandlerTrace | null): Disposable;
}

/** Calls back when an actor of this process has ended. */
export function watchCell(cell: TurnCell, ended: (end: ActorEnd) => void): Disposable {
  const { calls } = cell.extension(watchersKey, () => new Watchers());
  // The same function may watch twice.
  const entry = { ended };
  calls.add(entry);
  return { [Symbol.dispose]: () => void calls.delete(entry) };
}

/** The watches of a system's actors, and of the code outside actors. */
export class Watches {
  readonly #parts: WatchesParts;
  readonly #outside = new Set<Watch>();
  #started = 0;

  constructor(parts: WatchesParts) {
    this.#parts = parts;
  }

  /** Watches since the start. */
  get started(): number {
    return this.#started;
  }

  /**
   * Calls back once when an actor ends, or at once if there is none.
   *
   * @param watcher The actor whose turn the call is; null for none.
   * @param within The trace of the handler that watches; null without one.
   * @throws {ZeromeshError} `LIMIT_REACHED` at `maxWatches`, `ACTOR_STOPPED`; `PEER_UNKNOWN` without a messenger.
   */
  start(
    ref: ActorAddress,
    watcher: TurnCell | null,
    call: EndCall,
    within: HandlerTrace | null = null,
  ): Disposable {
    checkArgument("ended", call, option.function, "Cannot watch an actor");
    const all = watcher === null ? this.#outside : watchesOf(watcher);
    const { instanceId, options: { maxWatches } } = this.#parts;
    if (all.size >= maxWatches) {
      const whose = watcher === null ? "the process" : actorText(watcher);
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot watch ${ref.address}: ${whose} has maxWatches (${maxWatches})`,
      );
    }
    const watch = new Watch(all, watcher, call, (error) => this.#failed(ref, error));
    const ended = (end: ActorEnd): void => watch.end(end);
    if (ref.instance !== instanceId) watch.begin(this.#parts.watchRemote(ref, ended, within));
    else {
      const cell = this.#parts.find(ref.target);
      if (cell === null) watch.end({ reason: "notFound" });
      else watch.begin(watchCell(cell, ended));
    }
    // Only now: one that could not begin takes no place.
    all.add(watch);
    this.#started++;
    return watch;
  }

  /** Ends the watches of the code outside actors. */
  close(): void {
    for (const watch of [...this.#outside]) watch[Symbol.dispose]();
  }

  #failed(ref: ActorAddress, error: unknown): void {
    this.#parts.logger.error("a function that watches an actor failed", {
      actor: ref.address,
      error: errorText(error),
    });
  }
}

function watchesOf(watcher: TurnCell): Set<Watch> {
  if (!watcher.takes) throw stopped(watcher);
  return watcher.extension(watchesKey, () => new OwnWatches()).watches;
}

/** Those who watch one actor. */
class Watchers implements CellExtension {
  readonly calls = new Set<{ readonly ended: (end: ActorEnd) => void }>();

  ended(end: ActorEnd): void {
    for (const { ended } of [...this.calls]) ended(end);
  }
}

/** The watches of one actor. They end with it, and before it is restarted. */
class OwnWatches implements CellExtension {
  readonly watches = new Set<Watch>();

  restarting(): void {
    this.ended();
  }

  ended(): void {
    for (const watch of [...this.watches]) watch[Symbol.dispose]();
  }
}

class Watch implements Disposable {
  readonly #all: Set<Watch>;
  readonly #watcher: TurnCell | null;
  readonly #call: EndCall;
  readonly #failed: (error: unknown) => void;
  #source: Disposable | null = null;
  #turn: CallTurn | null = null;
  #over = false;

  constructor(
    all: Set<Watch>,
    watcher: TurnCell | null,
    call: EndCall,
    failed: (error: unknown) => void,
  ) {
    this.#all = all;
    this.#watcher = watcher;
    this.#call = call;
    this.#failed = failed;
  }

  /** Ends the source with the watch. */
  begin(source: Disposable): void {
    this.#source = source;
  }

  end(end: ActorEnd): void {
    if (this.#over) return;
    this.#over = true;
    const { host } = this.#watcher ?? {};
    if (host === undefined) return queueMicrotask(() => this.#tell(end));
    this.#turn = new CallTurn(host.outside, (context) => {
      this.#all.delete(this);
      return this.#call(end, context as never);
    }, "watch");
    this.#watcher!.push(this.#turn);
  }

  async #tell(end: ActorEnd): Promise<void> {
    if (!this.#all.delete(this)) return;
    try {
      await this.#call(end, undefined as never);
    } catch (error) {
      this.#failed(error);
    }
  }

  [Symbol.dispose](): void {
    this.#over = true;
    this.#all.delete(this);
    this.#source?.[Symbol.dispose]();
    if (this.#turn !== null) this.#watcher?.remove(this.#turn);
  }
}
