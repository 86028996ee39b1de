import type { Contract, InstanceId } from "../../core/mod.ts";
import { readCallOptions } from "./call_options.ts";
import type { CallOptions } from "./caller.ts";
import type { MessengerCore } from "../core.ts";
import type { CallClient } from "./client.ts";
import { givenUp } from "../peers/link_errors.ts";
import type { Peer } from "../peers/peer.ts";
import type { Destination } from "./destination.ts";

/** The result of `messenger.broadcast`. */
export interface BroadcastResult {
  /** Peers whose queue holds the message. */
  readonly sent: readonly InstanceId[];
  /** Peers to which it could not be sent. */
  readonly failed: readonly BroadcastFailure[];
}

/** A peer that a broadcast did not reach. */
export interface BroadcastFailure {
  /** Its id. */
  readonly peer: InstanceId;
  /** The error; usually a `ZeromeshError`. */
  readonly error: unknown;
}

/** The receivers of a broadcast: all instances of a destination, or without one all reachable peers. */
export interface BroadcastTarget {
  /** The destination, such as `service(name)`. It includes this instance if it offers the service. */
  to?: Destination | undefined;
}

/** Sends one message without an answer to several peers. */
export async function broadcast(
  { client, connections }: MessengerCore,
  target: string | Contract,
  options: (Omit<CallOptions, "to"> & BroadcastTarget) | null | undefined,
): Promise<BroadcastResult> {
  const { to, ...call } = readCallOptions(target, options as CallOptions, "Cannot broadcast");
  if (to === undefined || to === null) {
    const { reachable, lost } = everybody(connections.peers.values());
    const { sent, failed } = await sendToEach(client, reachable, target, call);
    return { sent, failed: [...failed, ...lost] };
  }
  const { instances, spent } = await client.instancesOf({ ...call, to: to as Destination });
  return await sendToEach(client, instances, target, { ...call, ...spent });
}

/**
 * The receivers of a broadcast to all peers: those connected or being dialled, and registered ones not dialled yet. Of
 * the others, unregistered peers do not count as failed.
 */
function everybody(peers: Iterable<Peer>): { reachable: InstanceId[]; lost: BroadcastFailure[] } {
  const reachable: InstanceId[] = [];
  const lost: BroadcastFailure[] = [];
  for (const peer of peers) {
    const { instanceId, known, met, replies } = peer;
    const answered = replies !== null && replies.link.established;
    if (peer.session !== null || peer.connecting !== null || answered || (known && !met)) {
      reachable.push(instanceId);
    } else if (known) lost.push({ peer: instanceId, error: givenUp(peer) });
  }
  return { reachable, lost };
}

async function sendToEach(
  caller: Pick<CallClient, "amSend">,
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
