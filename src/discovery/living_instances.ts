import { type Clock, type InstanceId, LeaseTable } from "../core/mod.ts";
import type { ServiceWatch } from "./service_watch.ts";

// Anybody who may publish can name instances.
const mostInstances = 16_384;
// So long this process itself has stood still: what was said meanwhile is still to be read.
const standstillMs = 1_000;

/**
 * Instances that say again and again that they offer a service, for one watch: one that is silent for longer than it has
 * said is gone. While nothing can be heard nobody is taken for dead.
 */
export class LivingInstances implements Disposable {
  readonly #watch: ServiceWatch;
  readonly #living: LeaseTable<InstanceId>;

  /** @param watch What is told; nothing before {@link resume}. */
  constructor(clock: Clock, watch: ServiceWatch) {
    this.#watch = watch;
    this.#living = new LeaseTable({
      clock,
      limit: mostInstances,
      standstillMs,
      expired: (id) => watch.remove(id),
    });
    this.#living.pause();
  }

  /** An instance offers the service for so long; 0: no longer. */
  said(id: InstanceId, ttlMs: number): void {
    const listening = !this.#living.paused;
    if (ttlMs <= 0) {
      if (this.#living.remove(id) && listening) this.#watch.remove(id);
    } else if (this.#living.renew(id, ttlMs) && listening) this.#watch.add(id);
  }

  /** Nothing can be heard from now on. */
  pause(trouble: unknown): void {
    this.#living.pause();
    this.#watch.trouble(trouble);
  }

  /** Everything can be heard again, and everybody was asked. */
  resume(): void {
    this.#living.resume();
    this.#watch.replace(this.#living.keys());
  }

  [Symbol.dispose](): void {
    this.#living[Symbol.dispose]();
  }
}
