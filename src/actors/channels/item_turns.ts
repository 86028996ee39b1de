import { HandlerContext } from "../cell/handler_context.ts";
import { type Origin, Turn, type TurnCell } from "../cell/parts.ts";
import type { ActorOpenOptions, ChannelEnd } from "../references/actor_channel.ts";
import { endMark, noItem } from "./link.ts";
import type { Receiver, Side } from "./side.ts";

/** The handlers of an actor's side. The context is of the turn. */
export interface SideHandlers {
  /** An item. */
  message(context: unknown, side: Side, item: unknown): unknown;
  /** The other side sends nothing more. */
  end(context: unknown, side: Side): unknown;
  /** The channel has ended. */
  close(context: unknown, side: Side, end: ChannelEnd): unknown;
}

type Handler = (context: unknown, ...values: unknown[]) => unknown;

/** The handlers of a definition, looked up for each turn: an update may have replaced them. */
export function servedHandlers(cell: TurnCell, name: string): SideHandlers {
  const of = (): Partial<Record<"message" | "end" | "close", Handler | null>> =>
    (cell.behaviour.channel(name) ?? {}) as never;
  return {
    message(context, side, item) {
      const { message } = of();
      if (message) return message(context, side, item);
      cell.host.deadLetters.add({
        reason: "invalid",
        target: cell.address,
        kind: "item",
        name,
        sender: String(side.opener),
        error: null,
      });
    },
    end: (context, side) => of().end?.(context, side),
    close: (context, side, end) => of().close?.(context, side, end),
  };
}

/** The callbacks of an actor that has opened a channel. */
export function openedHandlers({ message, end, close }: ActorOpenOptions): SideHandlers {
  return {
    message: (_context, side, item) => message?.(item, side),
    end: (_context, side) => end?.(side),
    close: (_context, side, how) => close?.(how, side),
  };
}

/** Items of a channel that are turns of an actor. A turn takes its item when it runs, so that the window counts it until then. */
export class ItemTurns implements Receiver {
  readonly drops = false;
  readonly #cell: TurnCell;
  readonly #origin: Origin;
  readonly #handlers: SideHandlers;
  #side!: Side;

  /** @param origin The other side, as the sender of the items. */
  constructor(cell: TurnCell, origin: Origin, handlers: SideHandlers) {
    this.#cell = cell;
    this.#origin = origin;
    this.#handlers = handlers;
  }

  attach(side: Side): void {
    this.#side = side;
  }

  arrived(count: number): void {
    for (let i = 0; i < count; i++) this.#cell.push(new ItemTurn(this.#origin, this.#side, this.#handlers));
  }

  ended(end: ChannelEnd, told: () => void): void {
    const turn = new CloseTurn(this.#origin, this.#side, this.#handlers, end, told);
    if (!this.#cell.push(turn)) told();
  }

  iterate(): AsyncIterator<unknown> {
    throw new TypeError(`Cannot iterate over channel "${this.#side.name}": its items come to "message"`);
  }
}

/** An item in a mailbox. The window of its channel bounds how many there are, so it takes no place of the capacity. */
class ItemTurn extends Turn {
  readonly kind = "item";
  readonly counted = false;
  readonly name: string;
  readonly #side: Side;
  readonly #handlers: SideHandlers;

  constructor(origin: Origin, side: Side, handlers: SideHandlers) {
    super(origin);
    this.name = side.name;
    this.#side = side;
    this.#handlers = handlers;
  }

  run(cell: TurnCell): unknown {
    const side = this.#side;
    let item: unknown;
    try {
      item = side.take();
    } catch {
      // The channel is closed with the reason.
      return undefined;
    }
    const context = this.context = new HandlerContext(cell, this);
    if (item === noItem) return undefined;
    if (item === endMark) return this.#handlers.end(context, side);
    if (!(item instanceof Promise)) return this.#handlers.message(context, side, item);
    return item.then(
      (value) => this.#handlers.message(context, side, value),
      (error) => side.broken(error),
    );
  }

  override excuses(error: unknown): boolean {
    return this.#side.tellsEnd(error);
  }

  dropped(): void {}
}

/** The end of a channel in a mailbox, behind its items. */
class CloseTurn extends Turn {
  readonly kind = "close";
  readonly counted = false;
  readonly name: string;
  readonly #side: Side;
  readonly #handlers: SideHandlers;
  readonly #end: ChannelEnd;
  readonly #told: () => void;

  constructor(origin: Origin, side: Side, handlers: SideHandlers, end: ChannelEnd, told: () => void) {
    super(origin);
    this.name = side.name;
    this.#side = side;
    this.#handlers = handlers;
    this.#end = end;
    this.#told = told;
  }

  run(cell: TurnCell): unknown {
    this.#told();
    const context = this.context = new HandlerContext(cell, this);
    return this.#handlers.close(context, this.#side, this.#end);
  }

  dropped(): void {
    this.#told();
  }
}
