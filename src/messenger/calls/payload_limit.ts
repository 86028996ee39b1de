import { smallFrameBytes } from "../../transport/mod.ts";

/**
 * The largest payload of a handler, given `maxPayloadBytes` of either side.
 *
 * The limit is about the user's payloads. What the system says to itself, the handshake first of all, passes
 * up to the size for which no memory is taken anyway.
 */
export function payloadLimit(handler: string, maxPayloadBytes: number): number {
  return maxPayloadBytes < smallFrameBytes && handler.startsWith("_") ? smallFrameBytes : maxPayloadBytes;
}
