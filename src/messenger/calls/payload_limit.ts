import { smallFrameBytes } from "../../transport/mod.ts";

/**
 * The largest payload for a system or user handler, given a side's `maxPayloadBytes`.
 *
 * The limit applies to users' payloads. System messages, the handshake first of all, pass up to the size that needs no
 * memory.
 */
export function payloadLimit(system: boolean, maxPayloadBytes: number): number {
  return maxPayloadBytes < smallFrameBytes && system ? smallFrameBytes : maxPayloadBytes;
}
