import { AsyncSource, type InstanceId, readOptions } from "../core/mod.ts";
import { type ServiceEvent, type WatchOptions, watchOptionTable } from "./discovery.ts";

/**
 * Events of a service for one reader.
 *
 * It stores only unread changes, at most one for each instance; a change that is undone before it is read is dropped.
 * So it needs no limit, and no event is repeated.
 */
export class ServiceWatch extends AsyncSource<ServiceEvent> {
  readonly #current = new Set<InstanceId>();
  readonly #changes = new Map<InstanceId, "added" | "removed">();
  readonly #onTrouble: ((error: unknown) => void) | undefined;
  #troubled = false;
  #known = false;
  #told = false;

  /**
   * @param given The reader's options.
   * @param onEnd Called once, when the reader ends.
   */
  constructor(given: WatchOptions | null | undefined, onEnd: () => void) {
    const { signal, onTrouble } = readOptions(given, watchOptionTable, "Cannot watch a service");
    super({ signal, onEnd });
    this.#onTrouble = onTrouble;
  }

  /** A watch that `follow` keeps up to date until the reader has ended; when it fails, so does the watch. */
  static following(
    given: WatchOptions | null | undefined,
    follow: (watch: ServiceWatch, ended: Promise<void>) => Promise<void>,
  ): ServiceWatch {
    const ended = Promise.withResolvers<void>();
    const watch = new ServiceWatch(given, () => ended.resolve());
    follow(watch, ended.promise).catch((error) => watch.fail(error));
    return watch;
  }

  /** The back end cannot be reached, until the next {@link replace}. */
  trouble(error: unknown): void {
    this.#troubled = true;
    this.#tell(error);
  }

  /** Takes the complete state. */
  replace(instances: Iterable<InstanceId>): void {
    if (this.#troubled) this.#tell(null);
    this.#troubled = false;
    const next = new Set(instances);
    for (const id of [...this.#current]) if (!next.has(id)) this.#note(id, "removed");
    for (const id of next) this.#note(id, "added");
    this.#known = true;
    this.hand();
  }

  /** Adds an instance. */
  add(id: InstanceId): void {
    this.#note(id, "added");
    this.hand();
  }

  /** Removes an instance. */
  remove(id: InstanceId): void {
    this.#note(id, "removed");
    this.hand();
  }

  #tell(trouble: unknown): void {
    try {
      this.#onTrouble?.(trouble);
    } catch {
      // A failing callback of the reader does not end the watch.
    }
  }

  #note(id: InstanceId, change: "added" | "removed"): void {
    if (this.#current.has(id) === (change === "added")) return;
    if (change === "added") this.#current.add(id);
    else this.#current.delete(id);
    // Removed and added again, or the reverse, before the reader took it.
    if (this.#changes.has(id)) this.#changes.delete(id);
    else this.#changes.set(id, change);
  }

  override take(): ServiceEvent | undefined {
    if (!this.#known || this.ended) return undefined;
    if (!this.#told) {
      this.#told = true;
      this.#changes.clear();
      return { type: "initial", instances: [...this.#current] };
    }
    for (const [instance, type] of this.#changes) {
      this.#changes.delete(instance);
      return { type, instance };
    }
    return undefined;
  }
}
