import { smallFrameBytes } from "../../transport/mod.ts";

/**
 * The largest payload for a handler of the system's or of the user's, given `maxPayloadBytes` of either side.
 *
 * The limit is about the user's payloads. What the system says to itself, the handshake first of all, passes
 * up to the size for which no memory is taken anyway.
 */
export function payloadLimit(system: boolean, maxPayloadBytes: number): number {
  return maxPayloadBytes < smallFrameBytes && system ? smallFrameBytes : maxPayloadBytes;
}
