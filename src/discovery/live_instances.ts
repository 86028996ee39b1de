import { type Clock, type InstanceId, LeaseTable } from "../core/mod.ts";
import type { ServiceWatch } from "./service_watch.ts";

// Every client that may publish can name instances, so their number has a limit.
const mostInstances = 16_384;
// A delay of this length shows that this process itself stood still; messages of that time are still unread.
const standstillMs = 1_000;

/**
 * Instances that repeatedly announce a service, for one watch. An instance is gone when it was silent for its announced
 * time; while no messages can arrive, none expires.
 */
export class LiveInstances implements Disposable {
  readonly #watch: ServiceWatch;
  readonly #leases: LeaseTable<InstanceId>;

  /** @param watch Receives the changes; none before {@link resume}. */
  constructor(clock: Clock, watch: ServiceWatch) {
    this.#watch = watch;
    this.#leases = new LeaseTable({
      clock,
      limit: mostInstances,
      standstillMs,
      expired: (id) => watch.remove(id),
    });
    this.#leases.pause();
  }

  /** An instance offers the service for this time; 0 means no longer. */
  announced(id: InstanceId, ttlMs: number): void {
    const listening = !this.#leases.paused;
    if (ttlMs <= 0) {
      if (this.#leases.remove(id) && listening) this.#watch.remove(id);
    } else if (this.#leases.renew(id, ttlMs) && listening) this.#watch.add(id);
  }

  /** Messages cannot arrive from now on. */
  pause(trouble: unknown): void {
    this.#leases.pause();
    this.#watch.trouble(trouble);
  }

  /** Messages can arrive again, and all instances were asked. */
  resume(): void {
    this.#leases.resume();
    this.#watch.replace(this.#leases.keys());
  }

  [Symbol.dispose](): void {
    this.#leases[Symbol.dispose]();
  }
}
