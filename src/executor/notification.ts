/** Reports how a message with a prefix ended. */
export interface ResponseNotification {
  /** `prefix:ok` or `prefix:err(message)`, with the prefix of the message. */
  readonly notification: string;
  /** Whether the handler finished without an error. */
  readonly isSuccess: boolean;
}

/** A parsed {@link ResponseNotification}. */
export interface ParsedNotification {
  /** The prefix of the message. */
  readonly prefix: string;
  /** Whether the handler finished without an error. */
  readonly isSuccess: boolean;
  /** The error's text, or undefined. */
  readonly error: string | undefined;
}

const okEnd = ":ok";
const errStart = ":err(";

/** The notification of a success. */
export function succeeded(prefix: string): ResponseNotification {
  return { notification: prefix + okEnd, isSuccess: true };
}

/** The notification of a failure. */
export function failed(prefix: string, message: string): ResponseNotification {
  return { notification: `${prefix}${errStart}${message})`, isSuccess: false };
}

/**
 * Parses a notification.
 *
 * Prefix and error text are arbitrary, so callers that know the prefix should give it. Without `prefix` the text is
 * read from its end, and a failure's message begins at the first `:err(`.
 *
 * @param notification The text, such as `job:7:ok`.
 * @param prefix The prefix, if it is known.
 * @returns Null when the text is not a notification, or not one of that prefix.
 *
 * @example Usage
 * ```ts
 * import { parseNotification } from "zeromesh/executor";
 * import assert from "node:assert/strict";
 *
 * assert.equal(parseNotification("job:7:ok")?.prefix, "job:7");
 * assert.equal(parseNotification("job:7:err(no (luck))", "job:7")?.error, "no (luck)");
 * ```
 */
export function parseNotification(notification: string, prefix?: string): ParsedNotification | null {
  if (prefix !== undefined && !notification.startsWith(prefix + ":")) return null;
  const at = prefix === undefined ? notification.indexOf(errStart) : prefix.length;
  if (at >= 0 && notification.startsWith(errStart, at) && notification.endsWith(")")) {
    return {
      prefix: notification.slice(0, at),
      isSuccess: false,
      error: notification.slice(at + errStart.length, -1),
    };
  }
  if (!notification.endsWith(okEnd)) return null;
  const end = notification.length - okEnd.length;
  if (prefix !== undefined && end !== prefix.length) return null;
  return { prefix: notification.slice(0, end), isSuccess: true, error: undefined };
}
