import {
  type InstanceId,
  isInstanceId,
  option,
  type OptionTable,
  shape,
  systemContract,
  ZeromeshError,
} from "../../core/mod.ts";
import { peerInfoOf, registrationHandler } from "../../wire/mod.ts";
import { type WaitOptions, waitOptionTable } from "../calls/wait_options.ts";
import type { MessengerCore } from "../core.ts";
import { speaksFor } from "../peers/identity.ts";

/** Options of `messenger.announceTo`. */
export interface AnnounceToOptions extends WaitOptions {
  /** The endpoint for the peer. @default {the first endpoint; none when it does not listen} */
  endpoint?: string | undefined;
}

/** The options of `messenger.announceTo`. */
export const announceToOptionTable: OptionTable<AnnounceToOptions> = {
  ...waitOptionTable,
  endpoint: option.string,
};

const longestEndpoint = 1_024;
const { anything, flag, lenient, of, optional, record, string } = shape;
const id = option.kind(
  option.instanceId.rule,
  (value) => typeof value === "string" && isInstanceId(value.toLowerCase()),
);
const endpoint = optional(string);
const registration = systemContract(registrationHandler, {
  input: record({ instance_id: of<string>(id), ipc_endpoint: endpoint, tcp_endpoint: endpoint, endpoint }),
  output: lenient(record({ registered: flag, instance_id: anything, endpoint: anything })),
});

/** Serves `_register_service`: the sender becomes a known peer, and a feature may admit it. */
export function serveRegistration({ instanceId, registry, connections, system }: MessengerCore): void {
  registry.serve(registration, (call) => {
    const { instance_id, ipc_endpoint, tcp_endpoint, endpoint } = call.input;
    const id = instance_id.toLowerCase() as InstanceId;
    const endpoints = [ipc_endpoint, tcp_endpoint, endpoint].flatMap((one) => one ? [one] : []);
    if (!speaksFor(call, id, system.isOurs(id))) {
      const why = `The sender of this message is not instance ${id}, which it announces`;
      throw new ZeromeshError("IDENTITY_MISMATCH", why, { peer: id, handler: registrationHandler });
    }
    const useless = endpoints.find((one) => !isDialable(one));
    if (useless !== undefined) {
      const why = `Payload of "${registrationHandler}" is invalid: ${
        JSON.stringify(useless.slice(0, 100))
      } cannot be dialled`;
      throw new ZeromeshError("PAYLOAD_INVALID", why, { handler: registrationHandler });
    }
    const registered = id !== instanceId;
    if (registered) {
      // Earlier endpoints are kept after the new one.
      const known = connections.peers.get(id)?.endpoints ?? [];
      const all = known.length > 0 && endpoints.every((one) => known.includes(one))
        ? known
        : [...new Set([...endpoints, ...known])].slice(0, 16);
      connections.introduce(peerInfoOf(id, all), call.session);
      system.registered(id);
    }
    return { registered, instance_id: id, endpoint: endpoints.at(-1) ?? null };
  });
}

/** Announces this instance's address to a peer. */
export async function announceTo(
  { instanceId: instance_id, system, transport }: MessengerCore,
  peer: InstanceId,
  { endpoint = transport.endpoints[0] ?? "", ...wait }: AnnounceToOptions,
): Promise<boolean> {
  const answer = await system.call(registration, peer, { instance_id, endpoint }, wait);
  return answer?.registered === true;
}

function isDialable(endpoint: string): boolean {
  if (endpoint.length > longestEndpoint) return false;
  if (endpoint.startsWith("ipc://")) return endpoint.length > 6;
  const [, host = "", port = "0"] = /^tcp:\/\/(.+):([0-9]{1,5})$/.exec(endpoint) ?? [];
  const listening = host === "*" || host === "0.0.0.0" || host === "[::]";
  return !listening && host !== "" && Number(port) > 0 && Number(port) < 65_536;
}
