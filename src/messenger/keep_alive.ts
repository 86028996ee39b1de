import type { Transport } from "../transport/mod.ts";

/** Keeps the process alive while calls are under way, a feature holds it, or the open instance is referenced. */
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

  /** Whether the open instance keeps the process alive. By default a listening instance does. */
  set referenced(referenced: boolean) {
    this.#referenced = referenced;
    this.#apply();
  }

  /** Whether calls are under way. */
  set active(active: boolean) {
    this.#active = active;
    this.#apply();
  }

  /** Keeps the process alive until disposed. */
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

  /** Lets the process end. */
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
