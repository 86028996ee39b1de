import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { openBackend } from "../../ffi/mod.ts";
import type { Messenger, MessengerOptions } from "../../src/mod.ts";
import { openResources } from "../../src/libzmq/mod.ts";
import { watchTimers } from "./timers.ts";
import { until, within } from "./until.ts";

/** Options of {@link leakCheck}. */
export interface LeakCheckOptions {
  /** The time in which closed resources must be gone, in milliseconds. @default {2000} */
  settleMs?: number | undefined;
  /** Whether open descriptors are counted, for which libzmq is loaded. @default {true} */
  descriptors?: boolean | undefined;
}

/** The fixture round a test's body. */
export interface LeakCheck extends AsyncDisposable {
  /** Disposes of a resource when the test ends, last come first, before anything is counted. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T;
  /** Calls a function when the test ends, in the same order as {@link use}. */
  defer(close: () => void | Promise<void>): void;
  /**
   * A messenger that is closed when the test ends. Calls of its own and handlers that still run then are a
   * leak, unless the test has closed it itself.
   */
  messenger(options?: MessengerOptions): Promise<Messenger>;
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
  const before = openResources();
  counters.push({ what: "contexts", before: before.contexts, count: () => openResources().contexts });
  counters.push({ what: "sockets", before: before.sockets, count: () => openResources().sockets });
  if (options.descriptors !== false) {
    // Through the library's own backend: Deno reads /proc/self/fd only with every permission.
    const backend = await openBackend();
    // A runtime's own threads have descriptors, and begin when they are needed.
    const ownedBefore = runtimesOwn();
    const open = (): number => (backend.descriptors()?.open ?? 0) - (runtimesOwn() - ownedBefore);
    const known = new Set(openFiles());
    const details = (): string =>
      [...openFiles().filter((file) => !known.has(file)), `threads: ${threadNames()}`].join("\n");
    counters.push({ what: "descriptors", before: open(), count: open, details });
  }
  return new Fixture(counters, options.settleMs ?? 2000);
}

/** The open descriptors, as far as this process may see them; for messages only. */
function openFiles(): string[] {
  const folder = "/proc/self/fd";
  try {
    return readdirSync(folder).map((name) => {
      try {
        return `${name} ${readlinkSync(`${folder}/${name}`)}`;
      } catch {
        return `${name} gone`;
      }
    });
  } catch {
    return [];
  }
}

// Each of these threads of Bun's has an epoll and an eventfd. It starts them at some moment after the first test has begun.
const threadsWithDescriptors = ["HTTP Client", "IO Watcher"];

/** The number of descriptors of the runtime's own threads, which may begin at any moment. */
function runtimesOwn(): number {
  const names = threadNames().split(", ");
  return 2 * threadsWithDescriptors.filter((name) => names.includes(name)).length;
}

/** The names of this process's threads, as far as it may see them; for messages only. */
function threadNames(): string {
  const folder = "/proc/self/task";
  try {
    return readdirSync(folder).map((id) => readFileSync(`${folder}/${id}/comm`, "utf8").trim()).join(", ");
  } catch {
    return "unknown";
  }
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

  async messenger(options: MessengerOptions = {}): Promise<Messenger> {
    const library = await import("../../src/mod.ts");
    const messenger = await library.Messenger.create(options);
    this.defer(async () => {
      const busy = (): string[] => {
        const { calls, handlers } = messenger.stats();
        return [
          ...(calls.pending > 0 ? [`${calls.pending} pending calls`] : []),
          ...(handlers.running > 0 ? [`${handlers.running} running handlers`] : []),
        ];
      };
      try {
        await until(() => busy().length === 0, {
          timeoutMs: this.#settleMs,
          message: () => `the work of messenger ${messenger.instanceId} to end: ${busy().join(", ")}`,
        });
      } finally {
        await messenger.close();
      }
    });
    return messenger;
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

  /** Waits until closed resources are gone: libzmq closes sockets on its own thread. */
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
