import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { HostChannels, TurnCell } from "../cell/parts.ts";
import { ActorChannels } from "./actor_channels.ts";
import { type ChannelCounts, channelCounts, type ChannelStats } from "../cell/channel_counts.ts";
import type { ChannelStatus } from "../references/actor_channel.ts";
import type { Side } from "./side.ts";

/** The channels of a system's actors, by id. */
export class SystemChannels implements HostChannels {
  /** Counters. */
  readonly counts: ChannelCounts = channelCounts();
  // A channel between two actors of this system has both.
  readonly #actors = new Map<string, TurnCell[]>();

  add(id: string, cell: TurnCell): void {
    const actors = this.#actors.get(id);
    if (actors === undefined) this.#actors.set(id, [cell]);
    else actors.push(cell);
    this.counts.open++;
  }

  remove(id: string, cell: TurnCell): void {
    const left = (this.#actors.get(id) ?? []).filter((one) => one !== cell);
    if (left.length === 0) this.#actors.delete(id);
    else this.#actors.set(id, left);
    this.counts.open--;
  }

  sideOf(cell: TurnCell, id: string): Side {
    const side = ActorChannels.made(cell)?.find(id);
    if (side !== undefined) return side;
    throw this.#actors.has(id) ? stranger(id) : unknown(id);
  }

  /**
   * The state of an open channel, as its target has it, for an instance that says that it has opened it. An instance that
   * is not connected any more has no open channels, so its id is enough.
   *
   * @throws {ZeromeshError} `ACTOR_NOT_A_PARTICIPANT`, `ACTOR_CHANNEL_CLOSED`.
   */
  statusFor(opener: InstanceId | null, id: string): ChannelStatus {
    const sides = (this.#actors.get(id) ?? []).map((cell) => ActorChannels.made(cell)?.find(id));
    const target = sides.find((side) => side?.role === "target");
    if (target === undefined) throw unknown(id);
    // An actor's channel is the actor's, and not of all its instance.
    if (target.opener !== opener) throw stranger(id);
    return target.status;
  }

  listOf(cell: TurnCell): readonly ChannelStatus[] {
    return ActorChannels.made(cell)?.list() ?? [];
  }

  /** A snapshot of the counters. */
  stats(): ChannelStats {
    return { ...this.counts };
  }
}

function stranger(id: string): ZeromeshError {
  return new ZeromeshError("ACTOR_NOT_A_PARTICIPANT", `Channel ${id} belongs to others`, { ran: "no" });
}

function unknown(id: string): ZeromeshError {
  return new ZeromeshError("ACTOR_CHANNEL_CLOSED", `There is no open channel ${id}`, { ran: "no" });
}
