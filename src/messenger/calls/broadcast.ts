import type { Contract, InstanceId } from "../../core/mod.ts";
import { readCallOptions } from "./call_options.ts";
import type { CallOptions } from "./caller.ts";
import type { CallClient } from "./client.ts";
import { givenUp } from "../peers/link_errors.ts";
import type { Peer } from "../peers/peer.ts";
import { type Destination, isDestination } from "./destination.ts";

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

/** To whom a broadcast goes: every instance of a destination, or without one every peer that can be reached now. */
export interface BroadcastTarget {
  /** The destination, as `service(name)` gives it. This instance is one of its instances if it offers the service. */
  to?: Destination | undefined;
}

/** Sends one message, without an answer, to each of many peers. */
export async function broadcast(
  caller: Pick<CallClient, "amSend" | "instancesOf">,
  known: () => Iterable<Peer>,
  target: string | Contract,
  options: (Omit<CallOptions, "to"> & BroadcastTarget) | null | undefined,
): Promise<BroadcastResult> {
  const { to, ...call } = readCallOptions(target, options as CallOptions, "Cannot broadcast");
  if (to === undefined || to === null) {
    const { reachable, lost } = everybody(known());
    const { sent, failed } = await sendToEach(caller, reachable, target, call);
    return { sent, failed: [...failed, ...lost] };
  }
  if (!isDestination(to)) {
    throw new TypeError('Cannot broadcast: "to" must be service(name), or be left out for every known peer');
  }
  const { instances, spent } = await caller.instancesOf({ ...call, to });
  return await sendToEach(caller, instances, target, { ...call, ...spent });
}

/**
 * Whom a message to everybody goes to: whoever is connected or being dialled, and those that this side was told of and has
 * not tried yet. Of the others only those count as failed that are no strangers.
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
