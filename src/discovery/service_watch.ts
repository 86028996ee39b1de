import { type InstanceId, readOptions } from "../core/mod.ts";
import { type ServiceEvent, type WatchOptions, watchOptionTable } from "./discovery.ts";

/**
 * What a back end sees of a service, made into events for one reader.
 *
 * It remembers only what the reader has not seen yet, at most one change for each instance; a change that was
 * undone before it was read is forgotten. So it needs no limit, and nothing comes twice.
 */
export class ServiceWatch implements AsyncIterableIterator<ServiceEvent> {
  readonly #current = new Set<InstanceId>();
  readonly #changes = new Map<InstanceId, "added" | "removed">();
  readonly #waiting: PromiseWithResolvers<IteratorResult<ServiceEvent>>[] = [];
  readonly #signal: AbortSignal | undefined;
  readonly #onTrouble: ((error: unknown) => void) | undefined;
  readonly #onEnd: () => void;
  readonly #stop = () => this.end();
  #failure: { readonly error: unknown } | null = null;
  #troubled = false;
  #known = false;
  #told = false;
  #ended = false;

  /**
   * @param given What the reader gave.
   * @param onEnd Called once, when the reader wants no more.
   */
  constructor(given: WatchOptions | null | undefined, onEnd: () => void) {
    const { signal, onTrouble } = readOptions(given, watchOptionTable, "Cannot watch a service");
    this.#signal = signal;
    this.#onTrouble = onTrouble;
    this.#onEnd = onEnd;
    // Not before the owner has it: what has aborted already ends at the first turn.
    if (signal?.aborted) queueMicrotask(this.#stop);
    else signal?.addEventListener("abort", this.#stop, { once: true });
  }

  /** Whether the reader wants no more. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The back end cannot be asked now; it can be again when it next says what there is. */
  trouble(error: unknown): void {
    this.#troubled = true;
    this.#tell(error);
  }

  /** Takes over the whole state. */
  replace(instances: Iterable<InstanceId>): void {
    if (this.#troubled) this.#tell(null);
    this.#troubled = false;
    const next = new Set(instances);
    for (const id of [...this.#current]) if (!next.has(id)) this.#note(id, "removed");
    for (const id of next) this.#note(id, "added");
    this.#known = true;
    this.#hand();
  }

  /** One instance came. */
  add(id: InstanceId): void {
    this.#note(id, "added");
    this.#hand();
  }

  /** One instance went. */
  remove(id: InstanceId): void {
    this.#note(id, "removed");
    this.#hand();
  }

  /** Ends the iteration. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#signal?.removeEventListener("abort", this.#stop);
    this.#onEnd();
    for (const waiting of this.#waiting.splice(0)) waiting.resolve({ done: true, value: undefined });
  }

  /** Ends the iteration with an error, which the reader gets once. */
  fail(error: unknown): void {
    if (this.#ended) return;
    const waiting = this.#waiting.shift();
    if (waiting !== undefined) waiting.reject(error);
    else this.#failure = { error };
    this.end();
  }

  next(): Promise<IteratorResult<ServiceEvent>> {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) return Promise.reject(failure.error);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const event = this.#take();
    if (event !== null) return Promise.resolve({ done: false, value: event });
    const waiting = Promise.withResolvers<IteratorResult<ServiceEvent>>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  return(): Promise<IteratorResult<ServiceEvent>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  #tell(trouble: unknown): void {
    try {
      this.#onTrouble?.(trouble);
    } catch {
      // The reader's own fault is no reason to watch no longer.
    }
  }

  #note(id: InstanceId, change: "added" | "removed"): void {
    if (this.#current.has(id) === (change === "added")) return;
    if (change === "added") this.#current.add(id);
    else this.#current.delete(id);
    // Gone and come again, or the other way round, before the reader looked.
    if (this.#changes.has(id)) this.#changes.delete(id);
    else this.#changes.set(id, change);
  }

  #take(): ServiceEvent | null {
    if (!this.#known) return null;
    if (!this.#told) {
      this.#told = true;
      this.#changes.clear();
      return { type: "initial", instances: [...this.#current] };
    }
    for (const [instance, type] of this.#changes) {
      this.#changes.delete(instance);
      return { type, instance };
    }
    return null;
  }

  #hand(): void {
    while (this.#waiting.length > 0) {
      const event = this.#take();
      if (event === null) return;
      this.#waiting.shift()!.resolve({ done: false, value: event });
    }
  }
}
