import type { ZeromeshError } from "../../core/mod.ts";
import { HandlerContext } from "../cell/handler_context.ts";
import { PendingInput, withInput } from "../cell/input.ts";
import { type Origin, Turn, type TurnCell } from "../cell/parts.ts";
import { noSuchMessage } from "../failures.ts";

/** A channel that is being opened, as its turn sees it. */
export interface Undecided {
  /** Whether nobody has decided yet, and the opener waits. */
  readonly waits: boolean;
  /** Whether the handler has ended without a decision. */
  deferred: boolean;
  /** Refuses it with an error. */
  refuse(error: unknown): void;
  /** The handler has failed. */
  failed(error: unknown): void;
  /** See {@link Turn.excuses}. */
  excuses(error: unknown): boolean;
}

type OpenHandler = (context: unknown, channel: Undecided, first: unknown) => unknown;

/** The opening of a channel in the mailbox of its target. */
export class OpenTurn extends Turn {
  readonly kind = "open";
  readonly counted = true;
  readonly name: string;
  readonly #first: unknown;
  readonly #opening: Undecided;

  constructor(origin: Origin, name: string, first: unknown, opening: Undecided) {
    super(origin);
    this.name = name;
    this.#first = first;
    this.#opening = opening;
  }

  run(cell: TurnCell): unknown {
    if (!this.#opening.waits) return undefined;
    const open = cell.behaviour.channel(this.name)?.open as OpenHandler | undefined;
    // An update may have taken it away.
    if (open === undefined) {
      this.#opening.refuse(noSuchMessage(cell, "channel", this.name, cell.behaviour.contract.name));
      return undefined;
    }
    const context = this.context = new HandlerContext(cell, this);
    const first = this.#first;
    if (!(first instanceof PendingInput)) return open(context, this.#opening, first);
    return withInput(first, (_context, value) => open(context, this.#opening, value), context);
  }

  override done(): void {
    this.#opening.deferred = true;
  }

  override failed(_cell: TurnCell, error: unknown): void {
    this.#opening.failed(error);
  }

  override excuses(error: unknown): boolean {
    return this.#opening.excuses(error);
  }

  override cutShort(error: ZeromeshError): void {
    this.abort(error);
    this.#opening.refuse(error);
  }

  dropped(_cell: TurnCell, _reason: "dropped" | "stopped", error: ZeromeshError): void {
    this.#opening.refuse(error);
  }
}
