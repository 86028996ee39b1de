import type { Transport } from "../transport/mod.ts";

/**
 * Keeps the process alive while there is a reason: calls are under way, events are awaited, or the instance listens and its user has
 * not said otherwise.
 */
export class KeepAlive {
  readonly #transport: Pick<Transport<unknown>, "ref" | "unref">;
  #referenced: boolean;
  #active = false;
  #awaited = false;
  #holds = false;

  /** @param listening Whether the instance listens. */
  constructor(transport: Pick<Transport<unknown>, "ref" | "unref">, listening: boolean) {
    this.#transport = transport;
    this.#referenced = listening;
    this.#apply();
  }

  /** Whether being open is a reason. By default it is for an instance that listens. */
  set referenced(referenced: boolean) {
    this.#referenced = referenced;
    this.#apply();
  }

  /** Whether calls are under way. */
  set active(active: boolean) {
    this.#active = active;
    this.#apply();
  }

  /** Whether somebody waits for an event. */
  set awaited(awaited: boolean) {
    this.#awaited = awaited;
    this.#apply();
  }

  /** No reason is left. */
  end(): void {
    this.#referenced = this.#active = this.#awaited = false;
    this.#apply();
  }

  #apply(): void {
    const wanted = this.#active || this.#awaited || this.#referenced;
    if (wanted === this.#holds) return;
    this.#holds = wanted;
    if (wanted) this.#transport.ref();
    else this.#transport.unref();
  }
}
