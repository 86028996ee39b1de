import { type InstanceId, libraryVersion } from "../../core/mod.ts";
import { decodePayload, encodePayload } from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import { unreadableAnswer } from "./unreadable_answer.ts";
import type { WaitOptions } from "../calls/wait_options.ts";

/** How an instance is. What a peer does not tell is null. */
export interface HealthReport {
  /** `ok`, or `draining` while it shuts down. */
  readonly status: string;
  /** Its clock, in seconds since 1970. */
  readonly timestamp: number;
  /** How long it has lived, in milliseconds. */
  readonly uptimeMs: number | null;
  /** Messages that its handlers are working on. */
  readonly inFlight: number | null;
  /** Messages that wait for its handlers. */
  readonly queued: number | null;
  /** Calls of its own that wait for an answer. */
  readonly pending: number | null;
  /** Messages that wait to leave it. */
  readonly queuedToPeers: number | null;
  /** Bytes of these. */
  readonly queuedToPeersBytes: number | null;
  /** The version of its library. */
  readonly version: string | null;
}

const name = "_health_check";

/** Answers `_health_check`, also while the instance shuts down. */
export function serveHealth(core: MessengerCore): void {
  const startedAt = core.now();
  const answer = () => {
    const { handlers, calls, transport } = core.stats();
    return encodePayload({
      status: core.lifecycle === "running" ? "ok" : "draining",
      timestamp: Math.floor(core.system.clock.wallNow() / 1_000),
      uptime_ms: Math.floor(core.now() - startedAt),
      in_flight: handlers.running,
      queued: handlers.queued,
      pending: calls.pending,
      queued_to_peers: transport.queuedMessages,
      queued_to_peers_bytes: transport.queuedBytes,
      version: libraryVersion,
    }, "json");
  };
  core.system.handle(name, "unary", answer, { whileDraining: true });
}

/** Asks a peer how it is. */
export async function checkHealth(
  core: MessengerCore,
  peer: InstanceId,
  options: WaitOptions,
): Promise<HealthReport> {
  const { value } = decodePayload(await core.client.system(name, peer, options), "json");
  const said = (value ?? {}) as Record<string, unknown>;
  const { status, timestamp, version } = said;
  const number = (key: string): number | null => typeof said[key] === "number" ? said[key] : null;
  if (typeof status === "string" && typeof timestamp === "number") {
    return {
      status,
      timestamp,
      uptimeMs: number("uptime_ms"),
      inFlight: number("in_flight"),
      queued: number("queued"),
      pending: number("pending"),
      queuedToPeers: number("queued_to_peers"),
      queuedToPeersBytes: number("queued_to_peers_bytes"),
      version: typeof version === "string" ? version : null,
    };
  }
  throw unreadableAnswer(core.connections.peers, peer, name);
}
