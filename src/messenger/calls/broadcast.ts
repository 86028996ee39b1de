import type { Contract, InstanceId } from "../../core/mod.ts";
import type { CallOptions } from "./caller.ts";
import type { CallClient } from "./client.ts";
import { isToService } from "./service_calls.ts";
import type { ServiceTarget } from "./service_target.ts";

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

/** To whom a broadcast goes: every instance of a service, or without one every peer known now. */
export interface BroadcastTarget {
  /** The service, as `service(name)` gives it. This instance is among its instances if it offers it. */
  to?: ServiceTarget | undefined;
}

/** Sends one message, without an answer, to each of many peers. */
export async function broadcast(
  caller: Pick<CallClient, "amSend" | "instancesOf">,
  known: () => InstanceId[],
  target: string | Contract,
  options: Omit<CallOptions, "to"> & BroadcastTarget,
): Promise<BroadcastResult> {
  const { to, ...call } = options;
  if (to === undefined || to === null) return await sendToEach(caller, known(), target, call);
  if (!isToService({ ...call, to })) {
    throw new TypeError('Cannot broadcast: "to" must be service(name), or be left out for every known peer');
  }
  const { instances, spent } = await caller.instancesOf({ ...call, to });
  return await sendToEach(caller, instances, target, { ...call, ...spent });
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
