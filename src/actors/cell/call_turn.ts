import { HandlerContext } from "./handler_context.ts";
import { type Origin, Turn, type TurnCell } from "./parts.ts";

/** A callback that runs as a turn of an actor: of a timer, a watch, a child. It takes no place of the capacity. */
export class CallTurn extends Turn {
  readonly name: string;
  readonly #call: (context: HandlerContext) => unknown;

  /**
   * @param call Gets a context of this turn, whose asks are known to wait.
   * @param name What the callback belongs to, for logs.
   */
  constructor(origin: Origin, call: (context: HandlerContext) => unknown, name: string) {
    super(origin);
    this.#call = call;
    this.name = name;
  }

  get kind(): "call" {
    return "call";
  }

  get counted(): false {
    return false;
  }

  run(cell: TurnCell): unknown {
    const context = this.context = new HandlerContext(cell, this);
    return this.#call(context);
  }

  dropped(): void {}
}
