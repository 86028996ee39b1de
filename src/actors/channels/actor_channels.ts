import { ZeromeshError } from "../../core/mod.ts";
import type { CellExtension, TurnCell } from "../cell/parts.ts";
import { actorText, stopped } from "../failures.ts";
import type { ChannelEnd, ChannelStatus } from "../references/actor_channel.ts";
import type { Side, SideOwner } from "./side.ts";

/** A channel that an actor waits for, on either side. */
export interface PendingOpen {
  /** Its line in the list. */
  readonly status: ChannelStatus;
  /** The actor has ended. */
  stopped(error: ZeromeshError): void;
}

const key: unique symbol = Symbol("channels");

/** The channels of one actor, made with its first one. */
export class ActorChannels implements CellExtension, SideOwner {
  readonly #cell: TurnCell;
  readonly #sides = new Map<string, Side>();
  readonly #pending = new Set<PendingOpen>();

  private constructor(cell: TurnCell) {
    this.#cell = cell;
  }

  /** The channels of an actor. */
  static of(cell: TurnCell): ActorChannels {
    return cell.extension(key, (made) => new ActorChannels(made));
  }

  /** The same, if it has had one. */
  static made(cell: TurnCell): ActorChannels | undefined {
    return cell.extensionOf(key) as ActorChannels | undefined;
  }

  /** A new channel begins to open. @throws {ZeromeshError} `LIMIT_REACHED`. */
  wait(one: PendingOpen): void {
    const { maxChannels, maxPendingOpens } = this.#cell.host.options;
    const { counts } = this.#cell.host.channels;
    if (this.#pending.size >= maxPendingOpens) {
      counts.refused++;
      throw this.#limit(`${this.#pending.size} channels wait for accept already (maxPendingOpens)`);
    }
    if (this.#sides.size + this.#pending.size >= maxChannels) {
      counts.refused++;
      throw this.#limit(`it has ${this.#sides.size} channels already (maxChannels)`);
    }
    this.#pending.add(one);
    counts.opening++;
  }

  /** It waits no more. */
  settled(one: PendingOpen): void {
    if (this.#pending.delete(one)) this.#cell.host.channels.counts.opening--;
  }

  /** A channel is open. */
  opened(side: Side): void {
    this.#sides.set(side.id, side);
    this.#cell.host.channels.add(side.id, this.#cell);
  }

  closed(side: Side, { reason }: ChannelEnd): void {
    if (!this.#sides.delete(side.id)) return;
    const { channels } = this.#cell.host;
    channels.remove(side.id, this.#cell);
    if (reason === "peerLost") channels.counts.lost++;
  }

  ended(): void {
    const error = stopped(this.#cell);
    for (const one of [...this.#pending]) {
      this.settled(one);
      one.stopped(error);
    }
    for (const side of [...this.#sides.values()]) side.abandon("peerStopped");
  }

  /** The open channel with an id; undefined without one. */
  find(id: string): Side | undefined {
    return this.#sides.get(id);
  }

  /** The actor's channels, those that wait last. */
  list(): ChannelStatus[] {
    return [
      ...[...this.#sides.values()].map(({ status }) => status),
      ...[...this.#pending].map(({ status }) => status),
    ];
  }

  #limit(why: string): ZeromeshError {
    return new ZeromeshError("LIMIT_REACHED", `Cannot open a channel: of ${actorText(this.#cell)} ${why}`, {
      ran: "no",
    });
  }
}
