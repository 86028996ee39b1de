import {
  type InstanceId,
  isInstanceId,
  option,
  type OptionTable,
  workerIdOf,
  ZeromeshError,
} from "../../core/mod.ts";
import { decodePayload, encodePayload, parseControlJson, peerInfoOf } from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import type { Session } from "../peers/peer.ts";
import type { InboundCall } from "../handlers/context.ts";
import { type WaitOptions, waitOptionTable } from "../calls/wait_options.ts";

/** How to `messenger.announceTo`. */
export interface AnnounceToOptions extends WaitOptions {
  /** Where the peer can dial this instance. @default {the first endpoint; none when it does not listen} */
  endpoint?: string | undefined;
}

/** All that `messenger.announceTo` knows. */
export const announceToOptionTable: OptionTable<AnnounceToOptions> = {
  ...waitOptionTable,
  endpoint: option.kind("a string", (value) => typeof value === "string"),
};

const name = "_register_service";
const longestEndpoint = 1_024;

/** Answers `_register_service`: who sends it becomes a known peer, and a feature may take it in. */
export function serveRegistration(core: MessengerCore): void {
  core.registry.handle(name, "unary", (call) => answer(core, call));
}

function answer(core: MessengerCore, message: InboundCall): Uint8Array {
  const said = parseControlJson(message.lentPayload) as Record<string, unknown> | null | undefined;
  const id = typeof said?.["instance_id"] === "string" ? said["instance_id"].toLowerCase() : undefined;
  const endpoints = [said?.["ipc_endpoint"], said?.["tcp_endpoint"], said?.["endpoint"]]
    .filter((endpoint) => endpoint !== undefined && endpoint !== null && endpoint !== "");
  if (!isInstanceId(id) || !endpoints.every((endpoint) => typeof endpoint === "string")) {
    throw invalid("it must be { instance_id, endpoint }");
  }
  checkSender(core, message, id);
  const another = id !== core.instanceId;
  if (another) {
    learn(core, message.session, id, endpoints);
    core.system.registered(id);
  }
  return encodePayload(
    { registered: another, instance_id: id, endpoint: endpoints.at(-1) ?? null },
    "json",
  );
}

/** Nobody registers another one. */
function checkSender(core: MessengerCore, message: InboundCall, id: InstanceId): void {
  const { session } = message;
  const worker = workerIdOf(id);
  const fits = Number(worker & 0xffffffffn) === message.id0 && Number(worker >> 32n) === message.id1 &&
    (session.peer === null
      // Only its own connection speaks for one of ours.
      ? session.link.kind === "loopback" || (!session.zeromesh && !core.system.isOurs(id))
      : session.peer.instanceId === id && (session.zeromesh || !core.system.isOurs(id)));
  if (fits) return;
  throw new ZeromeshError(
    "IDENTITY_MISMATCH",
    `The sender of this message is not instance ${id}, which it announces`,
    {
      peer: id,
      handler: name,
    },
  );
}

function learn(core: MessengerCore, session: Session, id: InstanceId, endpoints: readonly string[]): void {
  const { connections } = core;
  for (const endpoint of endpoints) {
    if (endpoint.length > longestEndpoint || !dialable(endpoint)) {
      throw invalid(`${JSON.stringify(endpoint.slice(0, 100))} cannot be dialled`);
    }
  }
  // What it said before stays, behind what it says now.
  const known = connections.peers.get(id)?.endpoints ?? [];
  const all = known.length > 0 && endpoints.every((endpoint) => known.includes(endpoint))
    ? known
    : [...new Set([...endpoints, ...known])].slice(0, 16);
  connections.introduce(peerInfoOf(id, all), session);
}

/** Tells a peer where this instance is. */
export async function announceTo(
  core: MessengerCore,
  peer: InstanceId,
  options: AnnounceToOptions,
): Promise<boolean> {
  const { endpoint = core.transport.endpoints[0] ?? "", ...wait } = options;
  const payload = encodePayload({ instance_id: core.instanceId, endpoint }, "json");
  const { value } = decodePayload(await core.client.system(name, peer, { ...wait, payload }), "json");
  return (value as { registered?: unknown } | null)?.registered === true;
}

function dialable(endpoint: string): boolean {
  if (endpoint.startsWith("ipc://")) return endpoint.length > 6;
  const [, host = "", port = "0"] = /^tcp:\/\/(.+):([0-9]{1,5})$/.exec(endpoint) ?? [];
  const listening = host === "*" || host === "0.0.0.0" || host === "[::]";
  return !listening && host !== "" && Number(port) > 0 && Number(port) < 65_536;
}

function invalid(why: string): ZeromeshError {
  return new ZeromeshError("PAYLOAD_INVALID", `Payload of "${name}" is invalid: ${why}`, { handler: name });
}
