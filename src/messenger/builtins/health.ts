import { type CallOutput, libraryVersion, shape, systemContract } from "../../core/mod.ts";
import type { MessengerCore } from "../core.ts";

/** Health of an instance. Facts that a peer does not report are null. */
export interface HealthReport {
  /** `ok`, or `draining` during shutdown. */
  readonly status: string;
  /** Its clock, in seconds since 1970. */
  readonly timestamp: number;
  /** Its age in milliseconds. */
  readonly uptimeMs: number | null;
  /** Messages that its handlers process. */
  readonly inFlight: number | null;
  /** Messages that wait for its handlers. */
  readonly queued: number | null;
  /** Its calls that wait for an answer. */
  readonly pending: number | null;
  /** Messages queued for its peers. */
  readonly queuedToPeers: number | null;
  /** Bytes queued for its peers. */
  readonly queuedToPeersBytes: number | null;
  /** The version of its library. */
  readonly version: string | null;
}

const { anything, lenient, number, record, string } = shape;
const count = lenient(number);

/** The question for an instance's health; plain Velo reports only status and time. */
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

/** Serves an instance's health, also while it drains. */
export function serveHealth(core: MessengerCore): void {
  const { clock } = core.system;
  const startedAt = clock.now();
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

/** The health in an answer. */
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
