import { Backoff, type ErrorCode, ZeromeshError } from "../../core/mod.ts";
import type { BrokerConnection } from "./connection.ts";

/** What another attempt may not meet again. */
const passing: ReadonlySet<ErrorCode> = new Set([
  "CHANNEL_NOT_FOUND",
  "CHANNEL_NOT_READY",
  "CHANNEL_CLOSED",
  "CLIENT_UNKNOWN",
  "PEER_DISCONNECTED",
  "PEER_UNREACHABLE",
]);

const never = new AbortController().signal;

/**
 * Asks a broker about a channel until it is there, or the time is over.
 *
 * @throws The last error; the signal's reason.
 */
export async function untilFound<T>(
  connection: BrokerConnection,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  ask: () => Promise<T>,
): Promise<T> {
  const { port: { clock }, changed } = connection;
  const until = clock.now() + timeoutMs;
  const backoff = new Backoff({ firstMs: 20, maxMs: 250 });
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await ask();
    } catch (error) {
      const left = until - clock.now();
      if (left <= 0 || !(error instanceof ZeromeshError) || !passing.has(error.code)) throw error;
      await changed.change(Math.min(left, backoff.next()), signal ?? never);
    }
  }
}
