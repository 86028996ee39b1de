import {
  Alarm,
  type AnySchema,
  type Clock,
  type Deadlines,
  type InstanceId,
  type ZeromeshError,
} from "../../core/mod.ts";
import type { ItemCounts } from "../../messenger/mod.ts";
import type { ChannelCounts } from "../cell/channel_counts.ts";
import type { ChannelLimits } from "../options/system_options.ts";
import type { ActorAddress } from "../references/address.ts";
import { channelClosed, channelLost, itemInvalid } from "../failures.ts";
import type {
  ActorChannel,
  ChannelEnd,
  ChannelRole,
  ChannelStatus,
  ServedChannel,
} from "../references/actor_channel.ts";
import { type ChannelLink, endMark, type LinkEvents, noItem } from "./link.ts";
import { Outbox } from "./outbox.ts";

/** What takes the items of a side: turns of an actor, or an iteration. */
export interface Receiver {
  /** Whether items that have arrived are of no use any more once the user has left the channel. */
  readonly drops: boolean;
  /** The side that it belongs to. */
  attach(side: Side): void;
  /** So many more items, or the mark of the end of sending, can be taken. */
  arrived(count: number): void;
  /** The channel has ended. `told` is called when whoever receives knows, behind all items. */
  ended(end: ChannelEnd, told: () => void): void;
  /** Its iteration. @throws {TypeError} If its items go elsewhere. */
  iterate(): AsyncIterator<unknown>;
}

/** What keeps sides: an actor's channels. */
export interface SideOwner {
  /** The side has ended. */
  closed(side: Side, end: ChannelEnd): void;
}

/** What a side begins with. */
export interface SideParts {
  readonly id: string;
  /** The name of its kind. */
  readonly name: string;
  readonly role: ChannelRole;
  readonly opener: ActorAddress | InstanceId;
  /** The other side, as a text. */
  readonly other: string;
  /** The item that came with `accept`. */
  readonly first: unknown;
  /** Schema of the items that it sends. */
  readonly schema: AnySchema;
  readonly link: ChannelLink;
  readonly receiver: Receiver;
  readonly owners: readonly SideOwner[];
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly limits: ChannelLimits;
  readonly counts: ChannelCounts;
  readonly idleTimeoutMs: number;
  /** What keeps the process alive while it is open; null for a side of an actor. */
  readonly hold: Disposable | null;
  /** Ends its trace, behind all items, with what ended the channel out of order; null without one. */
  readonly traced: ((failure: unknown, items: ItemCounts) => void) | null;
}

/** One side of a channel. */
export class Side implements ActorChannel, ServedChannel, LinkEvents {
  readonly closed: Promise<ChannelEnd>;
  /** The end; null while it is open. */
  end: ChannelEnd | null = null;
  /** The error of an iteration that ends because the other side was lost; null for every other end. */
  loss: ZeromeshError | null = null;
  /** Items that were taken. */
  received = 0;
  readonly #parts: SideParts;
  readonly #outbox: Outbox;
  readonly #told: PromiseWithResolvers<ChannelEnd> = Promise.withResolvers();
  /** What made this side leave the channel; undefined without one. */
  #broken: unknown = undefined;
  #closing: { readonly end: ChannelEnd; readonly left: PromiseWithResolvers<void>; sent: boolean } | null =
    null;
  #otherEnded = false;
  #alarm: Alarm | null = null;
  /** The end of the wait of a closing: for room, and then for the other side. */
  readonly #closeAlarm = new Alarm(() => this.#cutClosing());
  #movedAt = 0;

  constructor(parts: SideParts) {
    this.#parts = parts;
    this.closed = this.#told.promise;
    const { name, link, schema, limits, counts, idleTimeoutMs, clock, deadlines } = parts;
    this.#outbox = new Outbox({
      name,
      link,
      schema,
      limits,
      counts,
      invalid: (issues, cause) => itemInvalid(name, issues, cause),
      finished: () => this.#sendClose(),
    });
    if (idleTimeoutMs !== Infinity) {
      this.#movedAt = clock.now();
      this.#alarm = new Alarm(() => this.#idle());
      deadlines.add(this.#alarm, idleTimeoutMs);
    }
    parts.receiver.attach(this);
  }

  /** Takes what has arrived already. */
  begin(): this {
    this.#parts.link.start(this);
    return this;
  }

  get id(): string {
    return this.#parts.id;
  }

  get name(): string {
    return this.#parts.name;
  }

  get role(): ChannelRole {
    return this.#parts.role;
  }

  get opener(): ActorAddress | InstanceId {
    return this.#parts.opener;
  }

  get first(): unknown {
    return this.#parts.first;
  }

  get status(): ChannelStatus {
    const { id, name, role, other, link } = this.#parts;
    const { sent, waiting } = this.#outbox;
    const state = this.#closing === null ? "open" : "closing";
    return { id, name, role, other, state, sent, received: this.received, queued: link.size, waiting };
  }

  send(item: unknown): Promise<void> {
    this.#move();
    return this.#outbox.send(item);
  }

  endSending(): Promise<void> {
    if (this.#otherEnded && !this.#outbox.ending) void this.close("finished");
    return this.#outbox.end(this.#refusal("this side has ended its sending"));
  }

  close(reason = "closed"): Promise<void> {
    if (this.end !== null) return Promise.resolve();
    if (this.#closing === null) {
      const { role, deadlines, limits } = this.#parts;
      const left = Promise.withResolvers<void>();
      this.#closing = { end: { closedBy: role, reason: String(reason) }, left, sent: false };
      const refusal = this.#refusal(`this side has closed it: ${reason}`);
      this.#outbox.finish(refusal);
      // Items wait for a side that takes none.
      if (!this.#closing.sent) deadlines.add(this.#closeAlarm, limits.channelCloseMs);
    }
    return this.#closing.left.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    this.drop();
  }

  [Symbol.asyncIterator](): AsyncIterator<unknown> {
    return this.#parts.receiver.iterate();
  }

  /** Closes it at once: items that wait are not sent any more. */
  abandon(reason: string): void {
    if (this.end !== null) return;
    this.#outbox.fail(this.#refusal(`this side has closed it: ${reason}`));
    void this.close(reason);
    // Nobody receives any more.
    if (this.#closing !== null) this.#finish(this.#closing.end);
  }

  /** Whether an error is what `send` fails with because the other side has ended the channel. */
  tellsEnd(error: unknown): boolean {
    return this.end !== null && this.end.closedBy !== this.role && this.#outbox.refuses(error);
  }

  /** Takes the next item; see {@link ChannelLink.take}. */
  take(): unknown {
    this.#move();
    const { link } = this.#parts;
    let item: unknown;
    try {
      item = link.take();
    } catch (error) {
      this.broken(error);
      throw error;
    }
    if (item === endMark) this.#otherEnds();
    else if (item !== noItem) this.received++;
    return item;
  }

  /** An item of the other side is invalid: nothing more is read. */
  broken(error: unknown): void {
    this.#broken ??= error;
    this.abandon((error as ZeromeshError).message);
    this.#parts.link.drop();
  }

  /** Drops the items that an iteration has not taken. */
  drop(): void {
    if (this.#parts.receiver.drops) this.#parts.link.drop();
  }

  /** Whether items wait to be taken. */
  get readable(): boolean {
    return this.#parts.link.size > 0;
  }

  arrived(count: number): void {
    this.#move();
    this.#parts.receiver.arrived(count);
  }

  room(): void {
    this.#move();
    this.#outbox.drain();
  }

  closing(reason: string): void {
    if (this.end !== null) return;
    const closing = this.#closing;
    const theirs: ChannelEnd = { closedBy: this.role === "opener" ? "target" : "opener", reason };
    // Both have closed it: the target's closing counts on both sides.
    if (closing?.sent === true) return this.#finish(this.role === "target" ? closing.end : theirs);
    this.#parts.link.confirm();
    this.#finish(theirs);
  }

  confirmed(): void {
    if (this.#closing?.sent === true) this.#finish(this.#closing.end);
    else this.lost("peerLost");
  }

  lost(reason: string): void {
    if (this.end !== null) return;
    if (this.#closing?.sent === true) return this.#finish(this.#closing.end);
    const closedBy = this.role === "opener" ? "target" : "opener";
    if (reason === "peerLost") this.loss = channelLost(this.name, closedBy, this.#parts.other);
    this.#finish({ closedBy, reason });
  }

  #otherEnds(): void {
    this.#otherEnded = true;
    // Of two sides that have ended their sending at once, one closes.
    if (this.#outbox.ending && this.role === "target") void this.close("finished");
  }

  #sendClose(): void {
    const closing = this.#closing;
    if (closing === null || this.end !== null) return;
    closing.sent = true;
    const { link, deadlines, limits } = this.#parts;
    deadlines.remove(this.#closeAlarm);
    link.close(closing.end.reason);
    closing.left.resolve();
    // The other side may be gone in a way that its connection does not show.
    if ((this.end as ChannelEnd | null) === null) deadlines.add(this.#closeAlarm, limits.channelCloseMs);
  }

  #cutClosing(): void {
    const { end, sent } = this.#closing!;
    this.#parts.counts.cut++;
    if (!sent) return this.#outbox.fail(this.#refusal(`this side has closed it: ${end.reason}`));
    this.#parts.link.cut();
    this.#finish(end);
  }

  #finish(end: ChannelEnd): void {
    if (this.end !== null) return;
    this.end = end;
    const { deadlines, owners, receiver, hold } = this.#parts;
    hold?.[Symbol.dispose]();
    if (this.#alarm !== null) deadlines.remove(this.#alarm);
    deadlines.remove(this.#closeAlarm);
    const what = this.loss === null ? "has closed it" : "was lost";
    this.#outbox.fail(this.#refusal(`the ${end.closedBy} ${what}: ${end.reason}`));
    this.#closing?.left.resolve();
    for (const owner of owners) owner.closed(this, end);
    // Whoever has opened it may never iterate, and must not keep room of the connection. A target must: its peers decide
    // how many channels end.
    if (receiver.drops && this.role === "opener") this.#parts.link.release();
    receiver.ended(end, () => {
      this.#told.resolve(end);
      const { traced, link } = this.#parts;
      // One that iterates may take them later.
      traced?.(this.loss ?? this.#broken ?? undefined, {
        sent: this.#outbox.sent,
        received: this.received + link.left,
      });
    });
  }

  #refusal(why: string): ZeromeshError {
    return channelClosed(this.name, why);
  }

  #move(): void {
    if (this.#alarm !== null) this.#movedAt = this.#parts.clock.now();
  }

  #idle(): void {
    if (this.end !== null || this.#closing !== null) return;
    const { clock, deadlines, idleTimeoutMs } = this.#parts;
    const left = idleTimeoutMs - (clock.now() - this.#movedAt);
    if (left > 0) deadlines.add(this.#alarm!, left);
    else void this.close("idle");
  }
}
