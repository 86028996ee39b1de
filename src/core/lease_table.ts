import type { Timed } from "./clock.ts";
import { Alarm, Deadlines } from "./deadlines.ts";

/** Options of a {@link LeaseTable}. */
export interface LeaseTableOptions<Key> extends Timed {
  /** Called when a key expired; it has left the table. */
  readonly expired: (key: Key) => void;
  /** The most keys. @default {no limit} */
  readonly limit?: number | undefined;
  /**
   * A timer that is later than this, in milliseconds, shows that the process itself stood still. All keys then get
   * their full time again, since their renewals may wait to be read. @default {not checked}
   */
  readonly standstillMs?: number | undefined;
}

/** Keys that stay while they are renewed. Each has its own deadline, and no operation visits all of them. */
export class LeaseTable<Key> implements Disposable {
  readonly #options: LeaseTableOptions<Key>;
  readonly #deadlines: Deadlines;
  readonly #leases = new Map<Key, Lease>();
  readonly #pulse = new Lease(() => this.#beat());
  #paused = false;
  #awakeSince = -Infinity;

  constructor(options: LeaseTableOptions<Key>) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    this.#pulse.ttlMs = (options.standstillMs ?? Infinity) / 4;
  }

  /** Keys in the table. */
  get size(): number {
    return this.#leases.size;
  }

  /** Whether the table is paused. */
  get paused(): boolean {
    return this.#paused;
  }

  keys(): Iterable<Key> {
    return this.#leases.keys();
  }

  /** Adds or renews a key. Returns whether it is in: at the limit a new key is refused. */
  renew(key: Key, ttlMs: number): boolean {
    let lease = this.#leases.get(key);
    if (lease === undefined) {
      if (this.#leases.size >= (this.#options.limit ?? Infinity)) return false;
      const made = lease = new Lease(() => this.#end(key, made));
      this.#leases.set(key, lease);
      if (this.#leases.size === 1) this.#start(this.#pulse);
    }
    lease.ttlMs = ttlMs;
    this.#start(lease);
    return true;
  }

  /** Removes a key. Returns whether it was in. */
  remove(key: Key): boolean {
    const lease = this.#leases.get(key);
    if (lease === undefined) return false;
    this.#deadlines.remove(lease);
    return this.#leases.delete(key);
  }

  /** Stops expiry until {@link resume}, while renewals cannot arrive. */
  pause(): void {
    this.#paused = true;
  }

  /** Restarts expiry; each key has its full time again. */
  resume(): void {
    this.#paused = false;
    for (const lease of this.#leases.values()) this.#start(lease);
  }

  /** Cancels all deadlines. */
  [Symbol.dispose](): void {
    this.#deadlines.close();
    this.#leases.clear();
  }

  #start(lease: Lease): void {
    this.#deadlines.remove(lease);
    this.#deadlines.add(lease, lease.ttlMs);
  }

  #end(key: Key, lease: Lease): void {
    this.#look();
    if (this.#paused) return;
    if (lease.dueAt <= this.#awakeSince) return this.#start(lease);
    this.#leases.delete(key);
    this.#options.expired(key);
  }

  #beat(): void {
    this.#look();
    if (this.#leases.size > 0) this.#start(this.#pulse);
  }

  /** Detects that the process stood still. */
  #look(): void {
    const now = this.#options.clock.now();
    if (now - this.#pulse.dueAt <= (this.#options.standstillMs ?? Infinity)) return;
    this.#awakeSince = this.#pulse.dueAt = now;
    // Keys that are due get their time when they fire.
    for (const lease of this.#leases.values()) if (lease.dueAt > now) this.#start(lease);
  }
}

class Lease extends Alarm {
  ttlMs = Infinity;
}
