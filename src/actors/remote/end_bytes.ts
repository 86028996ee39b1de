import { errorText, readable, ZeromeshError } from "../../core/mod.ts";
import { decodePayload, encodePayload } from "../../wire/mod.ts";
import type { ActorEnd } from "../references/actor_end.ts";

const maxResultBytes = 1024 * 1024;

/** Encodes an actor's end. A result that cannot be encoded, or is too large, is left out. */
export function encodeEnd({ reason, error, result }: ActorEnd): Uint8Array {
  const parts = { reason, ...(error === undefined ? {} : { error: plain(error) }) };
  if (result !== undefined) {
    try {
      const whole = encodePayload({ ...parts, result }, "msgpack");
      if (whole.length <= maxResultBytes) return whole;
    } catch {
      // Its end is told without it.
    }
  }
  return encodePayload(parts, "msgpack");
}

/** Decodes an actor's end. */
export function decodeEnd(bytes: Uint8Array): ActorEnd {
  const { value } = decodePayload(bytes, "msgpack");
  const { reason, error, result } = (value ?? {}) as Partial<Record<keyof ActorEnd, unknown>>;
  return {
    reason: reasons.has(reason as never) ? reason as ActorEnd["reason"] : "stopped",
    ...(error === undefined ? {} : { error: failure(error) }),
    ...(result === undefined ? {} : { result }),
  };
}

const reasons: ReadonlySet<ActorEnd["reason"]> = new Set([
  "stopped",
  "finished",
  "failed",
  "terminated",
  "replaced",
  "peerLost",
  "notFound",
  "refused",
]);

/** Code and text: stacks and causes never cross the wire. */
function plain(error: unknown): { code: string; message: string } {
  const known = readable(error);
  return {
    code: known instanceof ZeromeshError ? known.code : "HANDLER_FAILED",
    message: errorText(error).slice(0, 4_096),
  };
}

function failure(error: unknown): ZeromeshError {
  const { code, message } = error as Partial<Record<"code" | "message", unknown>>;
  return new ZeromeshError(typeof code === "string" ? code : "HANDLER_FAILED", String(message), {
    ran: "yes",
  });
}
