import { type InstanceId, option, type OptionKind, type OptionTable } from "../../core/mod.ts";
import { typedCallOptionTable } from "../calls/call_options.ts";
import type { BaseCallOptions } from "../calls/caller.ts";

/** How to `messenger.registerAck`. */
export interface RegisterAckOptions {
  /** How long to wait for it, in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** An id of your own, 1 to 256 characters. @default {a UUID made for it} */
  id?: string | undefined;
  /**
   * The only instance that may send it; the wait ends when it is lost. Without it anybody may, and ids can be guessed.
   * @default {anybody}
   */
  from?: InstanceId | undefined;
  /** Gives up; `received` rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** An ACK that is waited for. Disposing of it gives up. */
export interface AckReceipt extends Disposable {
  /** What the message carries as `_ack_id` in its JSON payload. */
  readonly id: string;
  /**
   * Resolves when the ACK is here. Rejects with `TIMEOUT`; `HANDLER_FAILED` when the other side says so;
   * `PEER_DISCONNECTED`, `CLOSED`, `CANCELLED`, or the signal's reason. Nobody has to look at it.
   */
  readonly received: Promise<void>;
}

/** What `messenger.sendWithAck` takes. */
export interface SendWithAckOptions extends Omit<BaseCallOptions, "to"> {
  /** The peer. */
  to: InstanceId;
  /** A JSON object, to which `_ack_id` is added. @default {an empty one} */
  payload?: object | undefined;
}

/** What `sendAck` takes. */
export interface SendAckOptions {
  /** Says that it failed, and why, instead. */
  error?: string | undefined;
  /** Deadline for a place in the peer's queue, in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
}

/** The field of a JSON payload that asks for an ACK. */
export const ackField = "_ack_id";
/** The most characters of an id. */
export const longestAckId = 256;
/** What an id may be. */
export const ackIdKind: OptionKind = option.kind(
  `a string of 1 to ${longestAckId} characters`,
  (value) => typeof value === "string",
  { inRange: (value) => (value as string).length >= 1 && (value as string).length <= longestAckId },
);

/** All that registering an ACK knows. */
export const registerAckOptionTable: OptionTable<RegisterAckOptions> = {
  timeoutMs: option.timeout,
  id: ackIdKind,
  from: option.instanceId,
  signal: option.signal,
};

/** All that sending with an ACK knows. */
export const sendWithAckOptionTable: OptionTable<SendWithAckOptions> = {
  ...typedCallOptionTable,
  to: option.instanceId,
  // What is sent: null is no option that was left out, but no object either.
  payload: option.kind("an object", option.object.fits, { nullable: true }),
};

/** All that sending an ACK knows. */
export const sendAckOptionTable: OptionTable<SendAckOptions> = {
  error: option.kind("a string", (value) => typeof value === "string"),
  timeoutMs: option.timeout,
};
