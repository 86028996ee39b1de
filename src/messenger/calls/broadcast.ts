import type { Contract, InstanceId } from "../../core/mod.ts";
import type { Caller, CallOptions } from "./caller.ts";

/** What became of a `messenger.broadcast`. */
export interface BroadcastResult {
  /** Peers whose queue holds the message. */
  readonly sent: readonly InstanceId[];
  /** Peers that could not be sent to. */
  readonly failed: readonly BroadcastFailure[];
}

/** A peer that a broadcast did not go to. */
export interface BroadcastFailure {
  /** Who. */
  readonly peer: InstanceId;
  /** Why; usually a `ZeromeshError`. */
  readonly error: unknown;
}

/** Sends one message, without an answer, to each of many peers. */
export async function broadcast(
  caller: Pick<Caller, "amSend">,
  peers: readonly InstanceId[],
  target: string | Contract,
  options: Omit<CallOptions, "to">,
): Promise<BroadcastResult> {
  const sent: InstanceId[] = [];
  const failed: BroadcastFailure[] = [];
  await Promise.all(peers.map(async (peer) => {
    try {
      await caller.amSend(target as string, { ...options, to: peer });
      sent.push(peer);
    } catch (error) {
      failed.push({ peer, error });
    }
  }));
  return { sent, failed };
}
