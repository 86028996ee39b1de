import type { HandlerTrace } from "../../messenger/mod.ts";
import type { InstanceId } from "../../core/mod.ts";
import type { TurnCell } from "../cell/parts.ts";
import type { OutgoingMessage, OutgoingOpen } from "../cell/outgoing.ts";
import type { ActorChannel } from "../references/actor_channel.ts";
import type { ActorEnd } from "../references/actor_end.ts";

/** Counters of messages to and from other instances. */
export interface RemoteStats {
  /** Tells, asks and opens of channels that were sent to other instances, since the start. */
  readonly sent: number;
  /** Those that came from other instances, since the start. */
  readonly received: number;
  /** Probes that were sent to find asks of several instances that wait for each other, since the start. */
  readonly probes: number;
}

/** {@link RemoteStats}, while they change. */
export type RemoteCounts = { -readonly [K in keyof RemoteStats]: RemoteStats[K] };

/** The way to actors of other instances. */
export interface Remote extends AsyncDisposable {
  /** Resolves when the message is in the actor's mailbox. */
  tell(message: OutgoingMessage): Promise<void>;
  /** Resolves to the answer. */
  ask(message: OutgoingMessage): Promise<unknown>;
  /** Opens a channel. */
  open(message: OutgoingOpen): Promise<ActorChannel>;
  /** See {@link CellHost.suspectRing}. */
  suspectRing(cell: TurnCell): void;
  /** Calls back once when the actor has ended. */
  watch(
    instance: InstanceId,
    target: string,
    ended: (end: ActorEnd) => void,
    within: HandlerTrace | null,
  ): Disposable;
}
