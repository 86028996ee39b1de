import type { ZeromeshError } from "../../core/mod.ts";
import type { TellEntry } from "../definition/behaviour.ts";
import { noSuchMessage } from "../failures.ts";
import { HandlerContext } from "./handler_context.ts";
import { PendingInput, withInput } from "./input.ts";
import { type Origin, Turn, type TurnCell } from "./parts.ts";

/** A tell in a mailbox. */
export class TellTurn extends Turn {
  // Public, since private fields are slower to make on one of the runtimes.
  readonly entry: TellEntry;
  readonly input: unknown;

  constructor(origin: Origin, entry: TellEntry, input: unknown) {
    super(origin);
    this.entry = entry;
    this.input = input;
  }

  get name(): string {
    return this.entry.name;
  }

  get kind(): "tell" {
    return "tell";
  }

  get counted(): true {
    return true;
  }

  run(cell: TurnCell): unknown {
    const { input } = this;
    const { behaviour } = cell;
    let entry: TellEntry | undefined = this.entry;
    // An update may have replaced it, or taken it away.
    if (entry.givenBy !== behaviour.tell) entry = behaviour.tell(entry.name);
    if (entry === undefined) return this.#lost(cell);
    const context = this.context = new HandlerContext(cell, this);
    return input instanceof PendingInput
      ? withInput(input, entry.handler, context)
      : entry.handler(context, input);
  }

  override done(): void {
    this.origin.trace?.end("succeeded", undefined);
  }

  override failed(_cell: TurnCell, error: unknown): void {
    this.origin.trace?.end("failed", error);
  }

  override cutShort(error: ZeromeshError): void {
    super.cutShort(error);
    this.origin.trace?.end("cancelled", error);
  }

  dropped(cell: TurnCell, reason: "dropped" | "stopped", error: ZeromeshError): void {
    const { name, origin: { sender, trace } } = this;
    trace?.end("rejected", error);
    cell.host.deadLetters.add({ reason, target: cell.address, kind: "tell", name, sender, error });
  }

  #lost(cell: TurnCell): void {
    const { name, origin: { sender, trace } } = this;
    const error = noSuchMessage(cell, "tell", name, cell.behaviour.contract.name);
    trace?.end("rejected", error);
    cell.host.deadLetters.add({ reason: "invalid", target: cell.address, kind: "tell", name, sender, error });
  }
}
