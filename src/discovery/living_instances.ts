import type { Clock, InstanceId } from "../core/mod.ts";
import type { ServiceWatch } from "./service_watch.ts";

// Anybody who may publish can name instances.
const mostInstances = 16_384;
const lookEveryMs = 250;

/**
 * Instances that say again and again that they offer a service, for one watch: one that is silent for longer than it has
 * said is gone. While nothing can be heard nobody is taken for dead.
 */
export class LivingInstances implements Disposable {
  readonly #clock: Clock;
  readonly #watch: ServiceWatch;
  /** When an instance is dead unless it is heard, and for how long it lives when it is. */
  readonly #living = new Map<InstanceId, { diesAt: number; readonly ttlMs: number }>();
  #listening = false;
  #lookedAt: number;
  #cancel: () => void;

  /** @param watch What is told; nothing before {@link resume}. */
  constructor(clock: Clock, watch: ServiceWatch) {
    this.#clock = clock;
    this.#watch = watch;
    this.#lookedAt = clock.now();
    this.#cancel = clock.after(lookEveryMs, () => this.#look());
  }

  /** An instance offers the service for so long; 0: no longer. */
  said(id: InstanceId, ttlMs: number): void {
    if (ttlMs <= 0) {
      if (this.#living.delete(id) && this.#listening) this.#watch.remove(id);
    } else if (this.#living.has(id) || this.#living.size < mostInstances) {
      this.#living.set(id, { diesAt: this.#clock.now() + ttlMs, ttlMs });
      if (this.#listening) this.#watch.add(id);
    }
  }

  /** Nothing can be heard from now on. */
  pause(trouble: unknown): void {
    this.#listening = false;
    this.#watch.trouble(trouble);
  }

  /** Everything can be heard again, and everybody was asked. */
  resume(): void {
    this.#listening = true;
    this.#prolong();
    this.#watch.replace(this.#living.keys());
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #look(): void {
    const now = this.#clock.now();
    // This process itself stood still: what was said meanwhile is still to be read.
    if (now - this.#lookedAt > 4 * lookEveryMs) this.#prolong();
    this.#lookedAt = now;
    if (this.#listening) {
      for (const [id, { diesAt }] of this.#living) if (diesAt < now) this.said(id, 0);
    }
    this.#cancel = this.#clock.after(lookEveryMs, () => this.#look());
  }

  #prolong(): void {
    const now = this.#clock.now();
    for (const entry of this.#living.values()) entry.diesAt = now + entry.ttlMs;
  }
}
