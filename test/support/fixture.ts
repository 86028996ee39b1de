import { watchTimers } from "./timers.ts";
import { until, within } from "./until.ts";

/** What {@link leakCheck} looks at. */
export interface LeakCheckOptions {
  /** How long what was closed may take to be gone. @default {2000} */
  settleMs?: number | undefined;
  /** Whether open descriptors are counted. @default {true} */
  descriptors?: boolean | undefined;
}

/** The fixture round a test's body. */
export interface LeakCheck extends AsyncDisposable {
  /** Disposes of a resource when the test ends, last come first, before anything is counted. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T;
  /** Calls a function when the test ends, in the same order as {@link use}. */
  defer(close: () => void | Promise<void>): void;
  /** Counts something more: it has to be back at, or below, where it is now. */
  watch(what: string, count: () => number): void;
}

/** One thing that is counted: now, at the start, and how to tell what is left of it. */
interface Counter {
  readonly what: string;
  readonly before: number;
  readonly count: () => number;
  readonly details?: () => string;
}

/**
 * Round a test's body, fails the test that leaves something behind: sockets, contexts, timers, descriptors,
 * and whatever it was told to {@link LeakCheck.watch}.
 *
 * It is an `await using` and no hook, because `afterEach` that throws fails nothing under Deno.
 *
 * @example Usage
 * ```ts ignore
 * test("socket() is closed by close()", async () => {
 *   await using t = await leakCheck();
 *   const context = t.use(new Context());
 * });
 * ```
 */
export async function leakCheck(options: LeakCheckOptions = {}): Promise<LeakCheck> {
  const counters: Counter[] = [];
  const resources = await openResourcesOf();
  if (resources !== undefined) {
    const before = resources();
    counters.push({ what: "contexts", before: before.contexts, count: () => resources().contexts });
    counters.push({ what: "sockets", before: before.sockets, count: () => resources().sockets });
  }
  const descriptors = options.descriptors === false ? undefined : await descriptorsOf();
  if (descriptors !== undefined) {
    counters.push({ what: "descriptors", before: descriptors(), count: descriptors });
  }
  return new Fixture(counters, options.settleMs ?? 2000);
}

class Fixture implements LeakCheck {
  readonly #counters: Counter[];
  readonly #settleMs: number;
  readonly #timers = watchTimers();
  readonly #closers: (() => void | Promise<void>)[] = [];
  #disposed = false;

  constructor(counters: Counter[], settleMs: number) {
    this.#counters = counters;
    this.#settleMs = settleMs;
    this.#counters.push({
      what: "timers",
      before: 0,
      count: () => this.#timers.left().length,
      details: () => this.#timers.left().map((timer) => `${timer.what}\n${timer.stack}`).join("\n"),
    });
  }

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    this.defer(async () => {
      if (Symbol.asyncDispose in resource) await resource[Symbol.asyncDispose]();
      else resource[Symbol.dispose]();
    });
    return resource;
  }

  defer(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  watch(what: string, count: () => number): void {
    this.#counters.push({ what, before: count(), count });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    const failures: unknown[] = [];
    for (const close of this.#closers.reverse()) {
      try {
        await within(Promise.resolve(close()), 10_000, "a resource of the test to close");
      } catch (error) {
        failures.push(error);
      }
    }
    try {
      await this.#settle();
    } catch (error) {
      failures.push(error);
    } finally {
      this.#timers.stop();
    }
    if (failures.length === 1) throw failures[0];
    if (failures.length > 1) throw new AggregateError(failures, failures.map(String).join("\n"));
  }

  /** What was closed may be gone a little later: libzmq closes sockets on its own thread. */
  async #settle(): Promise<void> {
    const left = (): Counter[] => this.#counters.filter((one) => one.count() > one.before);
    const describe = (one: Counter): string => {
      const details = one.details === undefined ? "" : `:\n${one.details()}`;
      return `${one.what} (${one.before} before, ${one.count()} now)${details}`;
    };
    await until(() => left().length === 0, {
      timeoutMs: this.#settleMs,
      message: () => `what the test leaves behind to go: ${left().map(describe).join("; ")}`,
    });
  }
}

type OpenResources = () => { contexts: number; sockets: number };

async function openResourcesOf(): Promise<OpenResources | undefined> {
  const zmq = await load<{ openResources?: OpenResources }>("../../src/zmq/mod.ts");
  return zmq?.openResources;
}

/** Through the library's own backend: Deno reads `/proc/self/fd` only with every permission. */
async function descriptorsOf(): Promise<(() => number) | undefined> {
  interface Descriptors {
    descriptors(): { open: number } | null;
  }
  const ffi = await load<{ openBackend?: () => Descriptors | Promise<Descriptors> }>("../../ffi/mod.ts");
  const backend = await ffi?.openBackend?.();
  if (backend === undefined || backend.descriptors() === null) return undefined;
  return () => backend.descriptors()?.open ?? 0;
}

/** A module of the library, or undefined while it, or something it imports, is not written. */
async function load<T>(path: string): Promise<T | undefined> {
  try {
    return await import(new URL(path, import.meta.url).href) as T;
  } catch (error) {
    if (/Module not found|Cannot find module/.test(String(error))) return undefined;
    throw error;
  }
}
