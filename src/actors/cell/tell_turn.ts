import type { ZeromeshError } from "../../core/mod.ts";
import { noSuchMessage } from "../failures.ts";
import { HandlerContext } from "./handler_context.ts";
import { PendingInput, withInput } from "./input.ts";
import { type Origin, Turn, type TurnCell } from "./parts.ts";

/** The handler of a tell, as it is called. */
export type TellHandler = (context: unknown, input: unknown) => unknown;

/** A tell in a mailbox. */
export class TellTurn extends Turn {
  readonly kind = "tell";
  readonly counted = true;
  readonly #input: unknown;
  #context: HandlerContext | null = null;

  constructor(origin: Origin, name: string, input: unknown) {
    super(origin, name);
    this.#input = input;
  }

  run(cell: TurnCell): unknown {
    const handler = cell.behaviour.tell[this.name] as TellHandler | undefined;
    // An update may have taken it away.
    if (handler === undefined) return this.#lost(cell);
    const context = this.#context = new HandlerContext(cell, this);
    const input = this.#input;
    return input instanceof PendingInput
      ? withInput(input, (value) => handler(context, value))
      : handler(context, input);
  }

  override abort(reason: unknown): void {
    this.#context?.abort(reason);
  }

  dropped(cell: TurnCell, reason: "dropped" | "stopped", error: ZeromeshError): void {
    const { name, origin: { sender } } = this;
    cell.host.deadLetters.add({ reason, target: cell.address, kind: "tell", name, sender, error });
  }

  #lost(cell: TurnCell): void {
    const { name, origin: { sender } } = this;
    const error = noSuchMessage(cell, "tell", name, cell.behaviour.contract.name);
    cell.host.deadLetters.add({ reason: "invalid", target: cell.address, kind: "tell", name, sender, error });
  }
}
