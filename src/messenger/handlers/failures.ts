import {
  type Contract,
  describeIssues,
  errorText,
  issuePath,
  type SchemaIssue,
  ZeromeshError,
} from "../../core/mod.ts";
import { encodePayload, maxHeaderValueBytes, ResponseKind } from "../../wire/mod.ts";
import type { InboundCall, Registered } from "./context.ts";
import type { Handler } from "./handler_context.ts";
import { words } from "../velo/words.ts";
import type { Failure } from "./reply_sender.ts";

/** A failure found by the dispatcher, with its texts for both kinds of peers. */
export class DispatchFailure extends ZeromeshError {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.code, failure.message);
    this.failure = failure;
  }
}

/** A failure that a feature's handler throws: its caller gets all of it, and it counts as the handler's. */
export class FeatureFailure extends DispatchFailure {}

/** The code of a handler's error: `HANDLER_FAILED`, unless its contract declares the code. */
export function codeOf(error: unknown, { handler: { name, contract }, system }: Registered): string {
  if (!(error instanceof ZeromeshError)) return "HANDLER_FAILED";
  if (system) return error.code;
  if (contract !== null && Object.hasOwn(contract.errors, error.code)) return error.code;
  // An error of context.json() concerns this payload; an error of a call names its peer.
  const own = error.handler === name && error.peer === undefined;
  return own && error.code === "PAYLOAD_INVALID" ? error.code : "HANDLER_FAILED";
}

/** The failure of an unknown handler. */
export function handlerNotFound(name: string): Failure {
  return {
    code: "HANDLER_NOT_FOUND",
    message: `There is no handler "${name}"`,
    words: words.notFound(name),
  };
}

/**
 * The failure of a zeromesh caller that names a handler of another kind: it awaits an answer that the handler does not
 * give, or its contract has no answer and the handler has. Null when the kinds fit.
 *
 * @param am Whether its contract has no answer.
 */
export function anotherKind(call: InboundCall, am: boolean, { name, kind }: Handler): Failure | null {
  if (kind === "am" ? call.kind !== ResponseKind.unary || !call.session.dialect.asksForKind : !am) {
    return null;
  }
  return {
    code: "HANDLER_NOT_FOUND",
    message: kind === "am"
      ? `"${name}" is an am handler and has no answer; call it with amSend or amSync`
      : `"${name}" has an answer, and the caller's contract has no output; call it with unary or typedUnary`,
    data: { kind },
  };
}

/** The failure of a payload that cannot be decoded. */
export function payloadUnreadable(name: string, why: string): Failure {
  return {
    code: "PAYLOAD_INVALID",
    message: `Payload of "${name}" is invalid: ${why}`,
    words: words.inputInvalid(why),
  };
}

/** The failure of a payload that fails its schema. */
export function payloadInvalid(name: string, issues: readonly SchemaIssue[]): Failure {
  return {
    code: "PAYLOAD_INVALID",
    message: `Payload of "${name}" is invalid: ${describeIssues(issues)}`,
    data: issues.slice(0, 5).map((issue) => ({ path: issuePath(issue), message: issue.message })),
    words: words.inputInvalid(describeIssues(issues)),
  };
}

/** The failure of a payload above the limit. */
export function payloadTooLarge(name: string, bytes: number, limit: number): Failure {
  const message =
    `"${name}" did not run: its payload has ${bytes} bytes, more than maxPayloadBytes (${limit}) of the peer`;
  return {
    code: "PAYLOAD_TOO_LARGE",
    message,
    data: { bytes, limit },
    ran: "no",
    words: words.refused(message),
  };
}

/** The failure of a result that fails its schema. */
export function resultInvalid(contract: Contract, issues: readonly SchemaIssue[]): Failure {
  return {
    code: "RESULT_INVALID",
    message: `Result of "${contract.name}" is invalid: ${describeIssues(issues)}`,
    words: words.outputInvalid(describeIssues(issues)),
  };
}

/** The failure of invalid details of a declared error. */
export function detailsInvalid(contract: Contract, code: string, why: string): Failure {
  return {
    code: "RESULT_INVALID",
    message: `Details of ${code} of "${contract.name}" are invalid: ${why}`,
    words: words.outputInvalid(why),
  };
}

/** The failure of details that cannot be sent; null when they can. */
export function detailsFit(contract: Contract, code: string, details: unknown): Failure | null {
  if (details === undefined) return null;
  try {
    const { length } = encodePayload(details, "json");
    if (length <= maxHeaderValueBytes) return null;
    return detailsInvalid(contract, code, `they have ${length} bytes, more than ${maxHeaderValueBytes}`);
  } catch (error) {
    return detailsInvalid(contract, code, errorText((error as ZeromeshError).cause));
  }
}

/** Encodes a result. */
export function encodeResult(contract: Contract, result: unknown, call: InboundCall): Uint8Array {
  // An empty answer is undefined, or no JSON at all, by the dialect of the caller.
  const value = result === undefined && !call.session.dialect.hasUndefined ? null : result;
  try {
    return encodePayload(value, call.encoding);
  } catch (error) {
    const { cause, details } = error as ZeromeshError;
    throw new DispatchFailure({
      code: "ENCODING_FAILED",
      message: `Result of "${contract.name}" cannot be encoded: ${errorText(cause)}`,
      data: details,
      words: words.outputInvalid(errorText(cause)),
    });
  }
}

/** The failure of a message for a stopped handler. */
export function stopped(why: string): Failure {
  return { code: "CANCELLED", message: why };
}

/** The failure of a call that is not authorized. @param reason The user's reason, or empty. */
export function forbidden(name: string, reason: string): Failure {
  const why = `its instance does not let this caller call it${reason === "" ? "" : `: ${reason}`}`;
  return {
    code: "FORBIDDEN",
    message: `"${name}" did not run: ${why}`,
    words: words.forbidden(`"${name}" did not run: ${why}`),
  };
}

/** The failure when the instance closed before the handler had finished or begun; its progress is unknown. */
export function closedTooEarly(name: string, begun: boolean): Failure {
  const why = "the instance was closed before the handler had finished";
  return {
    code: "PEER_DRAINING",
    message: `"${name}" did not finish: ${why}`,
    ran: begun ? "maybe" : "no",
    words: words.cutShort(why),
  };
}

/** The failure of a message that was not admitted. */
export function overloaded(name: string, why: string): Failure {
  return {
    code: "OVERLOADED",
    message: `"${name}" did not run: ${why}; send less at a time, or again later`,
    words: words.full,
  };
}

/** The failure of an answer for a peer that does not read. */
export function answerUnread(name: string, bytes: number, unread: number): Failure {
  const why =
    `its answer of ${bytes} bytes had no room besides ${unread} bytes that the caller has not read ` +
    "(maxPeerBytes, maxInFlightBytes)";
  return {
    code: "OVERLOADED",
    message: `"${name}" ran, but ${why}; ask for less at a time`,
    ran: "yes",
    words: words.failed(why),
  };
}
