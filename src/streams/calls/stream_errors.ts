import {
  type Contract,
  describeIssues,
  type ErrorCode,
  issuePath,
  type SchemaIssue,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "../../core/mod.ts";
import { DispatchFailure } from "../../messenger/mod.ts";

/** The sender of a stream's items: the caller of a contract, or its handler. */
export type Side = "caller" | "handler";

/** Makes an error of a call with a stream. */
export type MakeError = (code: ErrorCode, message: string, about?: ZeromeshErrorOptions) => ZeromeshError;

/** Errors about one direction of a contract's streams. */
export interface ItemErrors {
  /** An item fails its schema, or cannot be read. @param details At most five issues are told. */
  invalid(number: number, issues: readonly SchemaIssue[], cause?: unknown): ZeromeshError;
  /** Another error about an item, such as one that cannot be encoded. */
  refused(number: number, error: ZeromeshError): ZeromeshError;
}

/**
 * Errors about items of one direction.
 *
 * @param from The side that sends the items.
 * @param make Makes an error of the side that finds it.
 */
export function itemErrors({ name }: Contract, from: Side, make: MakeError): ItemErrors {
  const [what, code] = from === "caller"
    ? ["input", "PAYLOAD_INVALID"] as const
    : ["output", "RESULT_INVALID"] as const;
  const about = (number: number) => `Item ${number} of the ${what} of "${name}"`;
  return {
    invalid: (number, issues, cause) =>
      make(code, `${about(number)} is invalid: ${describeIssues(issues)}`, {
        ...(cause === undefined ? {} : { cause }),
        details: {
          item: number,
          issues: issues.slice(0, 5).map((issue) => ({ path: issuePath(issue), message: issue.message })),
        },
      }),
    refused: (number, error) =>
      make(error.code, `${about(number)} cannot be sent: ${error.message}`, {
        cause: error,
        details: { ...error.details as object | undefined, item: number },
      }),
  };
}

/** Makes errors that a handler's side answers with. */
export const answerError: MakeError = (code, message, { details, ran = "yes" } = {}) =>
  new DispatchFailure({ code, message, data: details, ran });

/** Makes errors of one call. @param about Peer and handler. */
export function errorsOf(about: ZeromeshErrorOptions): MakeError {
  return (code, message, more) => new ZeromeshError(code, message, { ...about, ...more });
}
