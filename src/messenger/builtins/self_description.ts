import { type CallOutput, libraryVersion, shape, systemContract } from "../../core/mod.ts";
import type { MessengerCore } from "../core.ts";

/** What an instance says about itself when it is asked. */
export interface PeerDescription {
  /** The services that it has announced. */
  readonly services: readonly string[];
  /** Messages that its handlers are working on. */
  readonly running: number;
  /** Calls of its own that wait for an answer. */
  readonly pending: number;
}

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

const { anything, lenient, list, number, record, string } = shape;
const count = lenient(number);

/** Asks what an instance does; plain Velo has no such handler. */
export const descriptionContract = systemContract("_describe", {
  input: anything,
  output: record({ services: list(string), running: number, pending: number }),
});
/** Asks how an instance is; others than ours tell only status and time. */
export const healthContract = systemContract("_health_check", {
  input: anything,
  output: record({
    status: string,
    timestamp: number,
    uptime_ms: count,
    in_flight: count,
    queued: count,
    pending: count,
    queued_to_peers: count,
    queued_to_peers_bytes: count,
    version: lenient(string),
  }),
});

/** Tells whoever asks what this instance does and how it is; the latter also while it shuts down. */
export function serveSelfDescription(core: MessengerCore, services: () => readonly string[]): void {
  const { clock } = core.system;
  const startedAt = clock.now();
  core.system.serve(descriptionContract, () => {
    const { handlers, calls } = core.stats();
    return { services: services(), running: handlers.running, pending: calls.pending };
  });
  core.system.serve(healthContract, () => {
    const { handlers, calls, transport } = core.stats();
    return {
      status: core.lifecycle === "running" ? "ok" : "draining",
      timestamp: Math.floor(clock.wallNow() / 1_000),
      uptime_ms: Math.floor(clock.now() - startedAt),
      in_flight: handlers.running,
      queued: handlers.queued,
      pending: calls.pending,
      queued_to_peers: transport.queuedMessages,
      queued_to_peers_bytes: transport.queuedBytes,
      version: libraryVersion,
    };
  }, { whileDraining: true });
}

/** What an answer says of a peer's health. */
export function healthOf(said: CallOutput<typeof healthContract>): HealthReport {
  const { status, timestamp, queued = null, pending = null, version = null } = said;
  const { uptime_ms: uptimeMs = null, in_flight: inFlight = null } = said;
  const { queued_to_peers: queuedToPeers = null, queued_to_peers_bytes: queuedToPeersBytes = null } = said;
  return {
    status,
    timestamp,
    uptimeMs,
    inFlight,
    queued,
    pending,
    queuedToPeers,
    queuedToPeersBytes,
    version,
  };
}
