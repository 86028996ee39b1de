import { type ErrorCode, errorText, ZeromeshError } from "../../core/mod.ts";
import type { BrokerConnection } from "./connection.ts";

/** What a broker that is there has said, and waiting does not change. */
const hopeless: ReadonlySet<ErrorCode> = new Set([
  "ENDPOINT_INVALID",
  "FORBIDDEN",
  "IDENTITY_MISMATCH",
  "LIMIT_REACHED",
  "VERSION_UNSUPPORTED",
]);

/**
 * Waits for the first connection to a broker. Without one it goes on, unless it is required.
 *
 * @throws {ZeromeshError} `PEER_UNREACHABLE` if it is required; why the broker refuses the client; the signal's reason.
 */
export async function firstConnection(
  connection: BrokerConnection,
  timeoutMs: number,
  required: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await connection.whenUp(timeoutMs, signal);
  } catch (error) {
    const why = connection.lastFailure;
    const isLate = error instanceof ZeromeshError && error.code === "PEER_UNREACHABLE";
    if (!isLate || required) throw error;
    if (why instanceof ZeromeshError && hopeless.has(why.code)) throw why;
    connection.port.logger.warn("No broker answers; the client goes on without one", {
      error: errorText(error),
    });
  }
}
