/**
 * Counts the timers that run. Bun does not tell them through `process.getActiveResourcesInfo`, so the global
 * functions are replaced for as long as a leak check lasts; the library takes its timers from there.
 */

/** A timer that has neither fired for the last time nor been cleared. */
export interface LiveTimer {
  /** In the order they were started; a leak check looks only at those after its own beginning. */
  readonly order: number;
  /** Such as `setTimeout of 5000 ms`. */
  readonly what: string;
  /** The stack of its start. */
  readonly stack: string;
}

type Callback = (...args: unknown[]) => unknown;
type Start = (callback: Callback, ms?: number, ...args: unknown[]) => unknown;
type Stop = (timer: unknown) => void;
interface TimerGlobals {
  setTimeout: Start;
  setInterval: Start;
  clearTimeout: Stop;
  clearInterval: Stop;
}

const globals = globalThis as unknown as TimerGlobals;
const live = new Map<unknown, LiveTimer>();
let watchers = 0;
let started = 0;
let originals: TimerGlobals | undefined;

/** Starts watching, and returns what ends it and what tells the timers that were started since. */
export function watchTimers(): { stop: () => void; left: () => LiveTimer[] } {
  if (watchers++ === 0) replace();
  const since = started;
  let watching = true;
  return {
    left: () => [...live.values()].filter((timer) => timer.order > since),
    stop() {
      if (!watching) return;
      watching = false;
      if (--watchers === 0) restore();
    },
  };
}

function replace(): void {
  const { setTimeout, setInterval, clearTimeout, clearInterval } = globals;
  originals = { setTimeout, setInterval, clearTimeout, clearInterval };
  globals.setTimeout = (callback, ms, ...args) => {
    const timer = setTimeout(
      (...given) => {
        live.delete(timer);
        return callback(...given);
      },
      ms,
      ...args,
    );
    note(timer, `setTimeout of ${ms ?? 0} ms`);
    return timer;
  };
  globals.setInterval = (callback, ms, ...args) => {
    const timer = setInterval(callback, ms, ...args);
    note(timer, `setInterval of ${ms ?? 0} ms`);
    return timer;
  };
  // Either function ends either kind.
  globals.clearTimeout = globals.clearInterval = (timer) => {
    live.delete(timer);
    clearTimeout(timer);
  };
}

function restore(): void {
  if (originals !== undefined) Object.assign(globals, originals);
  originals = undefined;
  live.clear();
}

function note(timer: unknown, what: string): void {
  const stack = (new Error().stack ?? "").split("\n").slice(3, 8).join("\n");
  live.set(timer, { order: ++started, what, stack });
}
