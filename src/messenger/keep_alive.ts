import type { Transport } from "../transport/mod.ts";

/**
 * Keeps the process alive while there is a reason: calls are under way, a feature holds it, or the instance listens and its
 * user has not said otherwise.
 */
export class KeepAlive {
  readonly #transport: Pick<Transport<unknown>, "ref" | "unref">;
  #referenced: boolean;
  #active = false;
  #held = 0;
  #ended = false;
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

  /** Gives a reason more, until disposed of. */
  hold(): Disposable {
    let change = -1;
    const add = (by: number): void => {
      this.#held += by;
      this.#apply();
    };
    add(1);
    return {
      [Symbol.dispose]: () => {
        add(change);
        change = 0;
      },
    };
  }

  /** Nothing is a reason any more. */
  end(): void {
    this.#ended = true;
    this.#apply();
  }

  #apply(): void {
    const wanted = !this.#ended && (this.#active || this.#referenced || this.#held > 0);
    if (wanted === this.#holds) return;
    this.#holds = wanted;
    if (wanted) this.#transport.ref();
    else this.#transport.unref();
  }
}
