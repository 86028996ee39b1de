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
import type { Failure } from "./replies.ts";

/** A failure that the dispatcher itself found, with its words for either kind of peer. */
export class Refusal extends ZeromeshError {
  readonly failure: Failure;
  constructor(failure: Failure) {
    super(failure.code, failure.message);
    this.failure = failure;
  }
}

/** What a handler throws is `HANDLER_FAILED`, unless its contract declares the code. */
export function codeOf(error: unknown, { handler: { name, contract }, system }: Registered): string {
  if (!(error instanceof ZeromeshError)) return "HANDLER_FAILED";
  if (system) return error.code;
  if (contract !== null && Object.hasOwn(contract.errors, error.code)) return error.code;
  // What context.json() found is about this very payload; what a call found names its peer.
  const own = error.handler === name && error.peer === undefined;
  return own && error.code === "PAYLOAD_INVALID" ? error.code : "HANDLER_FAILED";
}

/** Nobody has registered that name. */
export function handlerNotFound(name: string): Failure {
  return {
    code: "HANDLER_NOT_FOUND",
    message: `There is no handler "${name}"`,
    words: words.notFound(name),
  };
}

/**
 * Why a call of one of ours is for a handler of another kind than the one it names: it asks for an answer that the
 * handler does not give, or its contract has no answer and the handler has. Null when it is not.
 *
 * @param am Whether its contract has no answer.
 */
export function anotherKind(call: InboundCall, am: boolean, { name, kind }: Handler): Failure | null {
  // What plain Velo calls runs whatever it is, as Velo has it.
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

/** The payload cannot be decoded. */
export function payloadUnreadable(name: string, why: string): Failure {
  return {
    code: "PAYLOAD_INVALID",
    message: `Payload of "${name}" is invalid: ${why}`,
    words: words.inputInvalid(why),
  };
}

/** The payload is not what the schema allows. */
export function payloadInvalid(name: string, issues: readonly SchemaIssue[]): Failure {
  return {
    code: "PAYLOAD_INVALID",
    message: `Payload of "${name}" is invalid: ${describeIssues(issues)}`,
    data: issues.slice(0, 5).map((issue) => ({ path: issuePath(issue), message: issue.message })),
    words: words.inputInvalid(describeIssues(issues)),
  };
}

/** The payload is larger than this side takes. */
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

/** The result is not what the contract allows. */
export function resultInvalid(contract: Contract, issues: readonly SchemaIssue[]): Failure {
  return {
    code: "RESULT_INVALID",
    message: `Result of "${contract.name}" is invalid: ${describeIssues(issues)}`,
    words: words.outputInvalid(describeIssues(issues)),
  };
}

/** The details of a declared error are not what the contract allows. */
export function detailsInvalid(contract: Contract, code: string, why: string): Failure {
  return {
    code: "RESULT_INVALID",
    message: `Details of ${code} of "${contract.name}" are invalid: ${why}`,
    words: words.outputInvalid(why),
  };
}

/** What keeps the details of a declared error from travelling; null when nothing does. */
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

/** The result's bytes. */
export function encodeResult(contract: Contract, result: unknown, call: InboundCall): Uint8Array {
  // An empty answer is nothing to one of ours, and no JSON to plain Velo.
  const value = result === undefined && !call.session.dialect.hasUndefined ? null : result;
  try {
    return encodePayload(value, call.encoding);
  } catch (error) {
    const { cause, details } = error as ZeromeshError;
    throw new Refusal({
      code: "ENCODING_FAILED",
      message: `Result of "${contract.name}" cannot be encoded: ${errorText(cause)}`,
      data: details,
      words: words.outputInvalid(errorText(cause)),
    });
  }
}

/** The answer to a message for a handler that was stopped. */
export function stopped(why: string): Failure {
  return { code: "CANCELLED", message: why };
}

/** The user of this instance does not let the caller call that handler. @param reason What the user says, or empty. */
export function forbidden(name: string, reason: string): Failure {
  const why = `its instance does not let this caller call it${reason === "" ? "" : `: ${reason}`}`;
  return {
    code: "FORBIDDEN",
    message: `"${name}" did not run: ${why}`,
    words: words.forbidden(`"${name}" did not run: ${why}`),
  };
}

/** The instance was closed before the handler had finished, or begun: how far it came nobody knows. */
export function closedTooEarly(name: string, begun: boolean): Failure {
  const why = "the instance was closed before the handler had finished";
  return {
    code: "PEER_DRAINING",
    message: `"${name}" did not finish: ${why}`,
    ran: begun ? "maybe" : "no",
    words: words.cutShort(why),
  };
}

/** There is no room for the message. */
export function overloaded(name: string, why: string): Failure {
  return {
    code: "OVERLOADED",
    message: `"${name}" did not run: ${why}; send less at a time, or again later`,
    words: words.full,
  };
}

/** The peer reads so little that there is no room for one more answer. */
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
