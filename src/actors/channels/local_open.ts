import { Deadline, onAbort, type ZeromeshError } from "../../core/mod.ts";
import type { Cell } from "../cell/cell.ts";
import type { Origin, Sender } from "../cell/parts.ts";
import { plainOrigin } from "../cell/origin.ts";
import { openLate } from "../failures.ts";
import { ActorChannels, type PendingOpen } from "./actor_channels.ts";
import type { ActorChannel, ActorOpenOptions, ChannelStatus } from "../references/actor_channel.ts";
import { deliverOpen } from "./deliver_open.ts";
import type { ChannelLink } from "./link.ts";
import { LocalLink } from "./local_link.ts";
import { openerReceiver } from "./opener_receiver.ts";
import type { OpenerWay, Opening } from "./opening.ts";
import { Side } from "./side.ts";

/** What a {@link LocalOpen} begins with. */
export interface LocalOpenParts {
  readonly cell: Cell;
  readonly name: string;
  readonly first: unknown;
  readonly origin: Origin;
  readonly timeoutMs: number;
  /** The actor that opens it; null for others. */
  readonly sender: Sender | null;
  readonly options: ActorOpenOptions | undefined;
}

/** A channel that is opened inside a process, on the side of its opener. */
export class LocalOpen extends Deadline implements OpenerWay, PendingOpen {
  readonly #parts: LocalOpenParts;
  readonly #settle: PromiseWithResolvers<ActorChannel> = Promise.withResolvers();
  readonly #opening: Opening;
  readonly #own: ActorChannels | null;
  #listening: Disposable | null = null;
  #gone: AbortController | null = null;
  #over = false;
  #hold: Disposable | null = null;
  #link: ChannelLink | null = null;

  /** @throws {ZeromeshError} As `ActorRef.open`. */
  constructor(parts: LocalOpenParts) {
    super();
    this.#parts = parts;
    const { cell, name, first, origin, timeoutMs, sender, options } = parts;
    const signal = options?.signal;
    this.#own = sender === null ? null : ActorChannels.of(sender.cell);
    if (timeoutMs <= 0) throw openLate(name, timeoutMs);
    signal?.throwIfAborted();
    if (!cell.hasRoom) this.#gone = new AbortController();
    this.#own?.wait(this);
    try {
      this.#opening = deliverOpen(cell, {
        name,
        first,
        origin,
        asker: sender,
        signal: this.#gone?.signal,
        way: this,
      });
    } catch (error) {
      this.#own?.settled(this);
      throw error;
    }
    if (this.#over) return;
    cell.host.deadlines.add(this, timeoutMs);
    this.#hold = cell.host.holding.hold();
    this.#listening = onAbort(signal, () => this.#giveUp("cancelled", signal?.reason));
  }

  get promise(): Promise<ActorChannel> {
    return this.#settle.promise;
  }

  get status(): ChannelStatus {
    const { name, cell } = this.#parts;
    const none = { sent: 0, received: 0, queued: 0, waiting: 0 };
    return { id: this.#opening.id, name, role: "opener", other: cell.address, state: "opening", ...none };
  }

  override expire(): void {
    const { name, timeoutMs } = this.#parts;
    this.#giveUp("timeout", openLate(name, timeoutMs));
  }

  stopped(error: ZeromeshError): void {
    this.#giveUp("peerStopped", error);
  }

  join(): ChannelLink {
    const [own, others] = LocalLink.pair(this.#parts.cell.host.options.channelWindowItems);
    this.#link = own;
    return others;
  }

  opened(): void {}

  accepted(_first: unknown, checked: unknown): void {
    const { cell, name, sender, options, origin } = this.#parts;
    const { host } = cell;
    const side = new Side({
      id: this.#opening.id,
      name,
      role: "opener",
      opener: this.#opening.opener,
      other: cell.address,
      first: checked,
      schema: this.#opening.schemas.fromOpener,
      link: this.#link!,
      receiver: openerReceiver(sender, options, plainOrigin(host.instanceId, cell.address, origin.trace)),
      owners: this.#own === null ? [] : [this.#own],
      clock: host.clock,
      deadlines: host.deadlines,
      limits: host.options,
      counts: host.channels.counts,
      idleTimeoutMs: options?.idleTimeoutMs ?? Infinity,
      hold: sender === null ? host.holding.hold() : null,
      traced: null,
    });
    this.#own?.opened(side);
    side.begin();
    this.#end();
    this.#settle.resolve(side);
  }

  refused(error: unknown): void {
    this.#end();
    this.#settle.reject(error);
  }

  over(): void {}

  #giveUp(reason: string, error: unknown): void {
    this.#end();
    this.#settle.reject(error);
    this.#opening.giveUp(reason, error);
    this.#gone?.abort(error);
  }

  #end(): void {
    this.#over = true;
    this.#hold?.[Symbol.dispose]();
    this.#parts.cell.host.deadlines.remove(this);
    this.#own?.settled(this);
    this.#listening?.[Symbol.dispose]();
  }
}
