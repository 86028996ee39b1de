import { checkArgument, errorText, option, ZeromeshError } from "../core/mod.ts";
import { stringifyJson } from "../wire/mod.ts";
import type { EventHandle } from "./handle.ts";

/** The outcome of an event. */
export interface Outcome {
  /** The reason of the poisoning; null when the event was triggered. */
  readonly reason: string | null;
  /** The value of the trigger, as parsed from JSON; undefined without one. */
  readonly value: unknown;
  /** The value's JSON text; undefined without one. */
  readonly json: string | undefined;
}

/** The result of {@link EventManager.poll}. */
export type EventStatus =
  | { readonly status: "pending" }
  | { readonly status: "ready"; readonly value: unknown }
  | { readonly status: "poisoned"; readonly reason: string };

/** Triggered without a value. */
export const triggered: Outcome = Object.freeze({ reason: null, value: undefined, json: undefined });

/** The reason of an event that is disposed while it is pending. */
export const droppedReason = "event dropped without being triggered";

// A merged event joins the reasons of all its inputs, so that reasons are cut.
const longestReason = 65_536;

/** A poisoning; long reasons are cut. @throws {TypeError} If the reason is not a string. */
export function poisonedWith(reason: string): Outcome {
  checkArgument("reason", reason, option.string, "Cannot poison an event");
  const text = reason.length > longestReason ? `${reason.slice(0, longestReason)}…` : reason;
  return { reason: text.toWellFormed(), value: undefined, json: undefined };
}

/**
 * A trigger with a value. Awaiters on this instance get the value parsed from its JSON, too.
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
 * A trigger with the JSON text that a peer sent.
 *
 * @throws {ZeromeshError} `PAYLOAD_INVALID` when it is not JSON, `PAYLOAD_TOO_LARGE`.
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

/** An outcome in the form of {@link EventManager.poll}. */
export function statusOf(outcome: Outcome): EventStatus {
  return outcome.reason === null
    ? { status: "ready", value: outcome.value }
    : { status: "poisoned", reason: outcome.reason };
}

/** The error of a poisoned event's awaiters. */
export function poisonedError(handle: EventHandle, reason: string): ZeromeshError {
  return new ZeromeshError("EVENT_POISONED", `Event ${handle} was poisoned: ${reason}`, {
    details: { handle: String(handle), reason },
  });
}

/** The error of poisoning a triggered event. */
export function completedError(handle: EventHandle): ZeromeshError {
  return new ZeromeshError(
    "EVENT_COMPLETED",
    `Cannot poison event ${handle}: it was triggered before`,
    { details: { handle: String(handle) } },
  );
}

/** The error about an event that was never made. */
export function unknownError(handle: EventHandle, why: string): ZeromeshError {
  return new ZeromeshError("EVENT_UNKNOWN", `There is no event ${handle}: ${why}`, {
    details: { handle: String(handle) },
  });
}
