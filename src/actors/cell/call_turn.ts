import { type Origin, Turn, type TurnCell } from "./parts.ts";

/** A callback that runs as a turn of an actor: of a timer, a watch, a child. It takes no place of the capacity. */
export class CallTurn extends Turn {
  readonly kind = "call";
  readonly counted = false;
  readonly #call: () => unknown;

  constructor(origin: Origin, call: () => unknown) {
    super(origin, "");
    this.#call = call;
  }

  run(_cell: TurnCell): unknown {
    return this.#call();
  }

  dropped(): void {}
}
