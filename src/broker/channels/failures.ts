import { describeIssues, issuePath, type SchemaIssue, ZeromeshError } from "../../core/mod.ts";

/** The error of a message that fails its schema: the sender's own, or one that has arrived. At most five issues are told. */
export function invalidMessage(
  code: "PAYLOAD_INVALID" | "RESULT_INVALID",
  channel: string,
  number: number,
  issues: readonly SchemaIssue[],
  cause?: unknown,
): ZeromeshError {
  const why = `Message ${number} of channel "${channel}" is invalid: ${describeIssues(issues)}`;
  return new ZeromeshError(code, why, {
    ...(cause === undefined ? {} : { cause }),
    ran: code === "PAYLOAD_INVALID" ? "no" : "yes",
    details: {
      item: number,
      issues: issues.slice(0, 5).map((issue) => ({ path: issuePath(issue), message: issue.message })),
    },
  });
}

/** Names the message in an error of its frame; other errors stay as they are. */
export function locatedMessage(channel: string, number: number, error: unknown): unknown {
  if (!(error instanceof ZeromeshError)) return error;
  const { code, details, message } = error;
  if (code !== "ENCODING_FAILED" && code !== "PAYLOAD_TOO_LARGE") return error;
  return new ZeromeshError(code, `Message ${number} of channel "${channel}" cannot be sent: ${message}`, {
    ran: "no",
    details: { ...details as object | undefined, item: number },
    cause: error,
  });
}

/** The error of whatever is done with a handle that has ended. */
export function handleClosed(channel: string, why: string): ZeromeshError {
  return new ZeromeshError("CLOSED", `Channel "${channel}" is closed: ${why}`, { ran: "no" });
}

/** A rejected promise that nobody need await. */
export function refused(error: unknown): Promise<never> {
  const promise = Promise.reject(error);
  promise.catch(nothing);
  return promise;
}

const nothing = (): void => {};
