import { checkArgument, errorText, option, ZeromeshError } from "../core/mod.ts";
import { stringifyJson } from "../wire/mod.ts";
import type { EventHandle } from "./handle.ts";

/** How an event ended. */
export interface Outcome {
  /** Why it was poisoned; null when it was triggered. */
  readonly reason: string | null;
  /** The value it was triggered with, as JSON's reader made it; undefined without one. */
  readonly value: unknown;
  /** The value's JSON text; undefined without one. */
  readonly json: string | undefined;
}

/** What {@link EventManager.poll} finds. */
export type EventStatus =
  | { readonly status: "pending" }
  | { readonly status: "ready"; readonly value: unknown }
  | { readonly status: "poisoned"; readonly reason: string };

/** Triggered without a value. */
export const triggered: Outcome = Object.freeze({ reason: null, value: undefined, json: undefined });

/** What becomes of an event that is disposed of before it was triggered. */
export const droppedReason = "event dropped without being triggered";

// A merged event joins the reasons of all its inputs.
const longestReason = 65_536;

/** Poisoned. Longer reasons are cut. @throws {TypeError} If the reason is no text. */
export function poisonedWith(reason: string): Outcome {
  checkArgument("reason", reason, option.string, "Cannot poison an event");
  const text = reason.length > longestReason ? `${reason.slice(0, longestReason)}…` : reason;
  return { reason: text.toWellFormed(), value: undefined, json: undefined };
}

/**
 * Triggered with a value, which is what its JSON says, here as elsewhere.
 *
 * @throws {ZeromeshError} `ENCODING_FAILED` when it has no JSON, `PAYLOAD_TOO_LARGE` when that is too long.
 */
export function triggeredWith(value: unknown, maxBytes: number): Outcome {
  if (value === undefined) return triggered;
  let json: string;
  try {
    json = stringifyJson(value);
  } catch (error) {
    throw new ZeromeshError("ENCODING_FAILED", `Cannot trigger with that value: ${errorText(error)}`, {
      cause: error,
    });
  }
  return triggeredWithJson(json.toWellFormed(), maxBytes);
}

/**
 * The same for JSON text from elsewhere.
 *
 * @throws {ZeromeshError} `PAYLOAD_INVALID` when it is none, `PAYLOAD_TOO_LARGE`.
 */
export function triggeredWithJson(json: string, maxBytes: number): Outcome {
  const bytes = json.length * 3 <= maxBytes ? 0 : new TextEncoder().encode(json).length;
  if (bytes > maxBytes) {
    throw new ZeromeshError(
      "PAYLOAD_TOO_LARGE",
      `Cannot trigger with a value of ${bytes} bytes: an event carries at most ${maxBytes} (maxValueBytes)`,
      { details: { bytes, limit: maxBytes } },
    );
  }
  try {
    return { reason: null, value: JSON.parse(json), json };
  } catch (error) {
    throw new ZeromeshError("PAYLOAD_INVALID", `Cannot trigger with that value: ${errorText(error)}`);
  }
}

/** An outcome as {@link EventManager.poll} tells it. */
export function statusOf(outcome: Outcome): EventStatus {
  return outcome.reason === null
    ? { status: "ready", value: outcome.value }
    : { status: "poisoned", reason: outcome.reason };
}

/** What the awaiters of a poisoned event get. */
export function poisonedError(handle: EventHandle, reason: string): ZeromeshError {
  return new ZeromeshError("EVENT_POISONED", `Event ${handle} was poisoned: ${reason}`, {
    details: { handle: String(handle), reason },
  });
}

/** An event that was triggered cannot be poisoned any more. */
export function completedError(handle: EventHandle): ZeromeshError {
  return new ZeromeshError(
    "EVENT_COMPLETED",
    `Cannot poison event ${handle}: it was triggered before`,
    { details: { handle: String(handle) } },
  );
}

/** There never was such an event. */
export function unknownError(handle: EventHandle, why: string): ZeromeshError {
  return new ZeromeshError("EVENT_UNKNOWN", `There is no event ${handle}: ${why}`, {
    details: { handle: String(handle) },
  });
}
