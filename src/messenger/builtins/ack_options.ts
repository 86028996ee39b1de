import { type InstanceId, option, type OptionKind, type OptionTable } from "../../core/mod.ts";
import { typedCallOptionTable } from "../calls/call_options.ts";
import type { BaseCallOptions } from "../calls/caller.ts";

/** Options of `messenger.registerAck`. */
export interface RegisterAckOptions {
  /** Timeout in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** An id of your own, 1 to 256 characters. @default {a new UUID} */
  id?: string | undefined;
  /**
   * The only instance that may send it; the wait ends when it is lost. Without it every instance may, and ids can be
   * guessed.
   * @default {every instance}
   */
  from?: InstanceId | undefined;
  /** Ends the wait; `received` rejects with its reason. */
  signal?: AbortSignal | undefined;
}

/** An awaited ACK. Disposing it ends the wait. */
export interface AckReceipt extends Disposable {
  /** The id, which the message carries as `_ack_id` in its JSON payload. */
  readonly id: string;
  /**
   * Resolves when the ACK arrives. Rejects with `TIMEOUT`; `HANDLER_FAILED` when the other side reports a failure;
   * `PEER_DISCONNECTED`, `CLOSED`, `CANCELLED`, or the signal's reason. It need not be handled.
   */
  readonly received: Promise<void>;
}

/** Options of `messenger.sendWithAck`. */
export interface SendWithAckOptions extends Omit<BaseCallOptions, "to"> {
  /** The peer. */
  to: InstanceId;
  /** A JSON object, to which `_ack_id` is added. @default {an empty one} */
  payload?: object | undefined;
}

/** Options of `sendAck`. */
export interface SendAckOptions {
  /** Reports a failure with this text instead. */
  error?: string | undefined;
  /**
   * Deadline of the wait for a place in the peer's queue, in milliseconds.
   *
   * @default {the messenger's timeoutMs, 30_000}
   */
  timeoutMs?: number | undefined;
}

/** The field of a JSON payload that requests an ACK. */
export const ackField = "_ack_id";
/** The most characters of an id. */
export const longestAckId = 256;
/** A valid id. */
export const ackIdKind: OptionKind = option.kind(
  `a string of 1 to ${longestAckId} characters`,
  (value) => typeof value === "string",
  { inRange: (value) => (value as string).length >= 1 && (value as string).length <= longestAckId },
);

/** The options of registering an ACK. */
export const registerAckOptionTable: OptionTable<RegisterAckOptions> = {
  timeoutMs: option.timeout,
  id: ackIdKind,
  from: option.instanceId,
  signal: option.signal,
};

/** The options of sending with an ACK. */
export const sendWithAckOptionTable: OptionTable<SendWithAckOptions> = {
  ...typedCallOptionTable,
  to: option.instanceId,
  // Null is neither an absent option nor an object.
  payload: option.kind("an object", option.object.fits, { nullable: true }),
};

/** The options of sending an ACK. */
export const sendAckOptionTable: OptionTable<SendAckOptions> = {
  error: option.kind("a string", (value) => typeof value === "string"),
  timeoutMs: option.timeout,
};
