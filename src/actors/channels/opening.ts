import {
  errorText,
  type InstanceId,
  option,
  type OptionTable,
  readOptions,
  validate,
  ZeromeshError,
} from "../../core/mod.ts";
import type { ActorAddress } from "../references/address.ts";
import { PendingInput } from "../cell/input.ts";
import type { Origin, TurnCell, Waited } from "../cell/parts.ts";
import { plainOrigin } from "../cell/origin.ts";
import type { ActorChannelSchemas } from "../contract/contract.ts";
import { channelRejected, outputInvalid } from "../failures.ts";
import { ActorChannels, type PendingOpen } from "./actor_channels.ts";
import type { AcceptOptions, ChannelStatus, OpeningChannel } from "../references/actor_channel.ts";
import { ItemTurns, servedHandlers } from "./item_turns.ts";
import { ItemIterator } from "./item_iterator.ts";
import type { ChannelLink } from "./link.ts";
import { LocalLink } from "./local_link.ts";
import { OpenTurn } from "./open_turn.ts";
import { type Receiver, Side } from "./side.ts";

/** The opener of a channel, as the target's opening reaches it. */
export interface OpenerWay {
  /** Makes the target's way to the opener. @throws {ZeromeshError} If there is none. */
  join(): ChannelLink;
  /** The target has a side. */
  opened(side: Side): void;
  /** Tells the opener that it is open. @param first The item as it was given, and as its schema made it. */
  accepted(first: unknown, checked: unknown): void;
  /** Tells the opener that it is not. */
  refused(error: unknown): void;
  /** The channel is over for its target, whether it was open or not. Called once. */
  over(): void;
}

/** What an {@link Opening} begins with. */
export interface OpeningParts {
  /** The target. */
  readonly cell: TurnCell;
  /** The channel's id. */
  readonly id: string;
  /** The name of its kind. */
  readonly name: string;
  readonly schemas: ActorChannelSchemas;
  readonly origin: Origin;
  /** The first item, or a {@link PendingInput}. */
  readonly first: unknown;
  readonly opener: ActorAddress | InstanceId;
  readonly way: OpenerWay;
  /** The actor whose handler waits for it; null for none. */
  readonly asker: TurnCell | null;
}

const acceptOptionTable: OptionTable<AcceptOptions> = { idleTimeoutMs: option.duration };

/** A channel that is being opened, on the side of its target. */
export class Opening implements OpeningChannel, PendingOpen, Waited {
  readonly cell: TurnCell;
  /** Whether the handler has ended without a decision, so that it waits no more. */
  deferred = false;
  /** Its place in the mailbox. */
  readonly turn: OpenTurn;
  readonly #parts: OpeningParts;
  #state: "waits" | "accepted" | "refused" | "gone" = "waits";
  #goneFor = "";
  /** What ended it while `accept` ran. */
  #failure: unknown = null;
  /** What `accept` returned. */
  #opened: Side | null = null;
  /** Whether it was accepted, and the opener is to be told once the schema of the first item is done. */
  #telling = false;

  /** @throws {ZeromeshError} `LIMIT_REACHED`. */
  constructor(parts: OpeningParts) {
    this.#parts = parts;
    const { cell, asker, origin, name, first } = parts;
    this.cell = cell;
    ActorChannels.of(cell).wait(this);
    this.turn = new OpenTurn(origin, name, first, this);
    if (asker !== null) (asker.waits ??= new Set()).add(this);
    if (first instanceof PendingInput) first.value.catch((error) => this.refuse(error));
  }

  get id(): string {
    return this.#parts.id;
  }

  get opener(): ActorAddress | InstanceId {
    return this.#parts.opener;
  }

  /** Its schemas, as the actor's contract had them when it was opened. */
  get schemas(): ActorChannelSchemas {
    return this.#parts.schemas;
  }

  /** Whether nobody has decided yet, and the opener waits. */
  get waits(): boolean {
    return this.#state === "waits";
  }

  get status(): ChannelStatus {
    const { id, name, opener } = this.#parts;
    const none = { sent: 0, received: 0, queued: 0, waiting: 0 };
    return { id, name, role: "target", other: String(opener), state: "opening", ...none };
  }

  accept(first?: unknown, options?: AcceptOptions): Side {
    const { cell, name, origin: { sender, instance, trace } } = this.#parts;
    // Items are parts of the trace, without spans of their own.
    const origin = plainOrigin(instance, sender, trace === null ? null : trace.inherited);
    return this.#accept(first, options, new ItemTurns(cell, origin, servedHandlers(cell, name)));
  }

  /** As {@link accept}, for a target whose items are iterated. */
  acceptIterated(first?: unknown, options?: AcceptOptions): Side {
    return this.#accept(first, options, new ItemIterator());
  }

  reject(reason: string): void {
    if (this.#state === "accepted") throw this.#decided("reject");
    this.refuse(channelRejected(this.#parts.name, String(reason)));
  }

  /** Refuses it with an error. Does nothing after a decision. */
  refuse(error: unknown): void {
    if (!this.#settle("refused")) return;
    this.cell.host.channels.counts.rejected++;
    this.cell.remove(this.turn);
    this.#parts.way.refused(error);
  }

  /** The handler has failed. */
  failed(error: unknown): void {
    this.refuse(this.#failure ?? failure(this.#parts.name, error));
  }

  excuses(error: unknown): boolean {
    return this.#opened?.tellsEnd(error) === true;
  }

  stopped(error: ZeromeshError): void {
    this.refuse(error);
  }

  /** The opener waits no more. */
  giveUp(reason: string, cause: unknown): void {
    const { counts } = this.cell.host.channels;
    if (this.#told()) {
      counts.abandoned++;
      return this.#opened!.lost(reason);
    }
    if (!this.#settle("gone")) return;
    this.#goneFor = reason;
    counts.abandoned++;
    if (!this.cell.remove(this.turn)) this.turn.abort(cause);
  }

  #accept(first: unknown, given: AcceptOptions | undefined, receiver: Receiver): Side {
    const { idleTimeoutMs = Infinity } = readOptions(given, acceptOptionTable, "Cannot accept a channel");
    if (this.#state === "accepted" || this.#state === "refused") throw this.#decided("accept");
    if (this.#state === "gone") return this.#closed(receiver, this.#goneFor);
    const { name, schemas, way } = this.#parts;
    let checked: unknown;
    try {
      checked = first === undefined
        ? undefined
        : validate(schemas.toOpener, first, (issues, cause) => outputInvalid(name, issues, cause));
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    let link: ChannelLink;
    try {
      link = way.join();
    } catch (error) {
      this.refuse(error);
      return this.#closed(receiver, errorText(error));
    }
    const channels = ActorChannels.of(this.cell);
    const side = this.#side(link, receiver, idleTimeoutMs, channels);
    this.#settle("accepted");
    this.cell.host.channels.counts.accepted++;
    channels.opened(side);
    way.opened(side);
    if (checked instanceof Promise) {
      this.#telling = true;
      checked.then((value) => this.#told() && way.accepted(first, value), (error) => {
        if (!this.#told()) return;
        way.refused(error);
        side.abandon(errorText(error));
      });
    } else way.accepted(first, checked);
    return side.begin();
  }

  /** The opener is told, or gives up: what comes first counts. Returns false if it is not to be told any more. */
  #told(): boolean {
    const telling = this.#telling;
    this.#telling = false;
    return telling;
  }

  /** A side whose opener is gone: the actor hears of its end as of every other one. */
  #closed(receiver: Receiver, reason: string): Side {
    const side = this.#side(LocalLink.pair(1)[0], receiver, Infinity, null);
    side.lost(reason);
    return side;
  }

  #side(link: ChannelLink, receiver: Receiver, idleTimeoutMs: number, owner: ActorChannels | null): Side {
    const { id, name, opener, schemas: { toOpener }, origin: { trace } } = this.#parts;
    const { clock, deadlines, options: limits, channels: { counts } } = this.cell.host;
    return this.#opened = new Side({
      id,
      name,
      role: "target",
      opener,
      other: String(opener),
      first: undefined,
      schema: toOpener,
      link,
      receiver,
      owners: owner === null ? [] : [owner, { closed: () => this.#parts.way.over() }],
      clock,
      deadlines,
      limits,
      counts,
      idleTimeoutMs,
      hold: null,
      traced: trace === null ? null : (failure, items) => {
        trace.end(failure === undefined ? "succeeded" : "failed", failure, items);
      },
    });
  }

  #settle(state: "accepted" | "refused" | "gone"): boolean {
    if (this.#state !== "waits") return false;
    this.#state = state;
    ActorChannels.made(this.cell)?.settled(this);
    this.#parts.asker?.waits?.delete(this);
    if (state !== "accepted") this.#parts.way.over();
    return true;
  }

  #decided(verb: string): TypeError {
    return new TypeError(`Cannot ${verb} channel "${this.#parts.name}": it was ${this.#state} already`);
  }
}

function failure(name: string, error: unknown): ZeromeshError {
  return new ZeromeshError("HANDLER_FAILED", errorText(error), { handler: name, ran: "yes", cause: error });
}
