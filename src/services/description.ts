import { type InstanceId, readOptions, shape, systemContract, type ZeromeshError } from "../core/mod.ts";
import { type SystemPort, type WaitOptions, waitOptionTable } from "../messenger/mod.ts";

/** Description of an instance by itself. */
export interface PeerDescription {
  /** Announced services. */
  readonly services: readonly string[];
  /** Messages that its handlers process. */
  readonly running: number;
  /** Its calls that wait for an answer. */
  readonly pending: number;
}

const { anything, list, number, record, string } = shape;
const description = systemContract("_describe", {
  input: anything,
  output: record({ services: list(string), running: number, pending: number }),
});

/** Serves an instance's description. */
export function serveDescription(port: SystemPort, describe: () => PeerDescription): void {
  port.serve(description, describe);
}

/** Asks a peer for its description; null from plain Velo, which has no such handler. */
export async function askDescription(
  port: SystemPort,
  peer: InstanceId,
  given: WaitOptions | undefined,
): Promise<PeerDescription | null> {
  const wait = readOptions(given, waitOptionTable, "Cannot ask a peer for its description");
  try {
    return await port.call(description, peer, undefined, wait);
  } catch (error) {
    const { code } = Object(error) as ZeromeshError;
    if (code === "HANDLER_NOT_FOUND" || code === "REMOTE_ERROR") return null;
    throw error;
  }
}
