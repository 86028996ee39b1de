import { AsyncSource, type InstanceId, readOptions } from "../core/mod.ts";
import { type ServiceEvent, type WatchOptions, watchOptionTable } from "./discovery.ts";

/**
 * What a back end sees of a service, made into events for one reader.
 *
 * It remembers only what the reader has not seen yet, at most one change for each instance; a change that was
 * undone before it was read is forgotten. So it needs no limit, and nothing comes twice.
 */
export class ServiceWatch extends AsyncSource<ServiceEvent> {
  readonly #current = new Set<InstanceId>();
  readonly #changes = new Map<InstanceId, "added" | "removed">();
  readonly #onTrouble: ((error: unknown) => void) | undefined;
  #troubled = false;
  #known = false;
  #told = false;

  /**
   * @param given What the reader gave.
   * @param onEnd Called once, when the reader wants no more.
   */
  constructor(given: WatchOptions | null | undefined, onEnd: () => void) {
    const { signal, onTrouble } = readOptions(given, watchOptionTable, "Cannot watch a service");
    super({ signal, onEnd });
    this.#onTrouble = onTrouble;
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
    this.hand();
  }

  /** One instance came. */
  add(id: InstanceId): void {
    this.#note(id, "added");
    this.hand();
  }

  /** One instance went. */
  remove(id: InstanceId): void {
    this.#note(id, "removed");
    this.hand();
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
