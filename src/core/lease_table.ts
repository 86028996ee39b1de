import type { Clock } from "./clock.ts";
import { Deadline, Deadlines } from "./deadlines.ts";

/** Options of a {@link LeaseTable}. */
export interface LeaseTableOptions<Key> {
  /** Where time comes from. */
  readonly clock: Clock;
  /** Called when a key was not renewed in time. It is in the table no more. */
  readonly expired: (key: Key) => void;
  /** The most keys. @default {no limit} */
  readonly limit?: number | undefined;
  /**
   * A timer that is later than this, in milliseconds, says that the process itself stood still. Then all keys have their
   * full time again, since what renews them may wait to be read. @default {such moments are not looked for}
   */
  readonly standstillMs?: number | undefined;
}

/** Who is present: keys that stay for as long as they are renewed. Each has a deadline, and nothing looks at all of them. */
export class LeaseTable<Key> implements Disposable {
  readonly #options: LeaseTableOptions<Key>;
  readonly #deadlines: Deadlines;
  readonly #leases = new Map<Key, Lease>();
  readonly #pulse = new Lease(() => this.#beat());
  #paused = false;
  #awakeSince = -Infinity;

  /** Makes an empty table. */
  constructor(options: LeaseTableOptions<Key>) {
    this.#options = options;
    this.#deadlines = new Deadlines(options.clock);
    this.#pulse.ttlMs = (options.standstillMs ?? Infinity) / 4;
  }

  /** How many keys there are. */
  get size(): number {
    return this.#leases.size;
  }

  /** Whether keys stay although they are not renewed. */
  get paused(): boolean {
    return this.#paused;
  }

  /** The keys. */
  keys(): Iterable<Key> {
    return this.#leases.keys();
  }

  /** Adds a key, or gives it its time anew. Returns whether it is in: at the limit a new one is not. */
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

  /** Takes a key out. Returns whether it was in. */
  remove(key: Key): boolean {
    const lease = this.#leases.get(key);
    if (lease === undefined) return false;
    this.#deadlines.remove(lease);
    return this.#leases.delete(key);
  }

  /** Lets every key stay until {@link resume}: nothing that renews it can be heard. */
  pause(): void {
    this.#paused = true;
  }

  /** Gives all keys their full time, from now on. */
  resume(): void {
    this.#paused = false;
    for (const lease of this.#leases.values()) this.#start(lease);
  }

  /** Ends all deadlines. */
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

  /** Notices that the process stood still. */
  #look(): void {
    const now = this.#options.clock.now();
    if (now - this.#pulse.dueAt <= (this.#options.standstillMs ?? Infinity)) return;
    this.#awakeSince = this.#pulse.dueAt = now;
    // Those that are due are given their time when their turn comes.
    for (const lease of this.#leases.values()) if (lease.dueAt > now) this.#start(lease);
  }
}

class Lease extends Deadline {
  readonly expire: () => void;
  ttlMs = Infinity;

  constructor(expire: () => void) {
    super();
    this.expire = expire;
  }
}
