import {
  type Contract,
  describeIssues,
  errorText,
  type Logger,
  validate,
  ZeromeshError,
} from "../../core/mod.ts";
import { ResponseKind } from "../../wire/mod.ts";
import type { InboundCall, Registered } from "./context.ts";
import type { DispatcherParts } from "./dispatch_parts.ts";
import { payloadLimit } from "../calls/payload_limit.ts";
import {
  answerUnread,
  closedTooEarly,
  codeOf,
  detailsFit,
  detailsInvalid,
  DispatchFailure,
  encodeResult,
  resultInvalid,
} from "./failures.ts";
import { words } from "../velo/words.ts";
import type { Failure, ReplySender } from "./reply_sender.ts";
import type { Admission } from "./admission.ts";

const nothing = new Uint8Array(new ArrayBuffer(0));

/** Sends handlers' results and errors. */
export class HandlerResults {
  readonly #replies: ReplySender;
  readonly #logger: Logger;
  readonly #maxPayloadBytes: number;
  readonly #admission: Admission;

  /** @param admission Whether there is room for one more answer. */
  constructor({ replies, logger, maxPayloadBytes }: DispatcherParts, admission: Admission) {
    this.#replies = replies;
    this.#logger = logger;
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#admission = admission;
  }

  /**
   * Sends a result: at once, or when the returned promise resolves.
   *
   * @throws The failure for {@link HandlerResults.fail}.
   */
  succeed(call: InboundCall, { handler }: Registered, result: unknown): void | Promise<void> {
    if (call.kind === ResponseKind.fire || call.expired) return;
    if (handler.kind === "am") {
      if (call.kind === ResponseKind.ack) return this.#replies.succeed(call, nothing, true);
      return this.#replies.fail(call, {
        code: "HANDLER_FAILED",
        message: `"${handler.name}" is an am handler and has no answer; call it with amSend or amSync`,
        words: words.unaryToAm(handler.name),
      });
    }
    if (handler.contract !== null) return this.#typed(call, handler.contract, result);
    if (result === undefined || result === null) return this.#answer(call, nothing, true);
    // libzmq copies bytes that the handler returned synchronously before other code can change them.
    if (result instanceof Uint8Array) return this.#answer(call, result, false);
    throw new DispatchFailure({
      code: "ENCODING_FAILED",
      message: `Handler "${handler.name}" must return a Uint8Array or nothing, and returned ${typeof result}`,
      words: words.outputInvalid(`a ${typeof result} is not bytes`),
    });
  }

  #typed(call: InboundCall, contract: Contract, result: unknown): void | Promise<void> {
    const send = () => this.#answer(call, encodeResult(contract, result, call), true);
    if (contract.output === undefined) return send();
    const checked = validate(
      contract.output,
      result,
      (issues) => new DispatchFailure(resultInvalid(contract, issues)),
    );
    return checked instanceof Promise ? call.orAborted(checked).then(send) : send();
  }

  #answer(call: InboundCall, bytes: Uint8Array, owned: boolean): void {
    if (call.abandoned && !call.session.link.established) return;
    const limit = payloadLimit(
      call.registered!.system,
      Math.min(this.#maxPayloadBytes, call.session.maxPayloadBytes),
    );
    if (bytes.length > limit) {
      throw new DispatchFailure({
        code: "PAYLOAD_TOO_LARGE",
        message: `The answer of "${call.handlerName}" has ${bytes.length} bytes, more than ` +
          `maxPayloadBytes (${limit})`,
      });
    }
    if (!this.#admission.hasForAnswer(call.session, bytes.length)) {
      throw new DispatchFailure(answerUnread(call.handlerName, bytes.length, call.session.unread));
    }
    this.#replies.succeed(call, bytes, owned);
  }

  /** Sends a failure, also for an unreadable error. */
  fail(call: InboundCall, registered: Registered, error: unknown): void {
    try {
      this.#fail(call, registered, error);
    } catch (failure) {
      const message = `"${call.handlerName}" failed, and its error cannot be sent: ${errorText(failure)}`;
      this.#replies.fail(call, { code: "HANDLER_FAILED", message, ran: call.ran ? "yes" : "no" });
    }
  }

  #fail(call: InboundCall, registered: Registered, error: unknown): void {
    const { handler } = registered;
    if (error instanceof DispatchFailure) {
      if (call.kind === ResponseKind.fire) {
        this.#logger.warn("a message was refused", { handler: handler.name, why: error.message });
      }
      if (call.expired) return;
      return this.#replies.fail(call, error.failure);
    }
    if (call.kind === ResponseKind.fire) {
      this.#logger.warn("a handler failed", { handler: handler.name, error: errorText(error) });
      return;
    }
    if (call.expired) return;
    const message = errorText(error);
    const code = codeOf(error, registered);
    // It failed because of the close, whatever its own error says.
    if (call.cutShort && code === "HANDLER_FAILED") {
      return this.#replies.fail(call, closedTooEarly(handler.name, call.ran));
    }
    // Details belong to the declared code; those of other failures stay here.
    const data = error instanceof ZeromeshError && code === error.code ? error.details : undefined;
    const declared = handler.contract !== null && Object.hasOwn(handler.contract.errors, code);
    // An error of a system handler is a refusal, unless its contract declares it.
    const ran = registered.system && !declared ? undefined : call.ran ? "yes" : "no";
    const failure: Failure = { code, message, data, ran };
    if (call.kind === ResponseKind.unary && handler.kind === "am") {
      return this.#replies.fail(call, {
        ...failure,
        words: words.unaryToAm(handler.name, message),
      });
    }
    const checked = error instanceof ZeromeshError
      ? checkDetails(handler.contract, code, error.details)
      : null;
    if (!(checked instanceof Promise)) return this.#replies.fail(call, checked ?? failure);
    checked.then((refused) => this.#replies.fail(call, refused ?? failure)).catch((thrown) => {
      this.#logger.error("a reply failed", { error: errorText(thrown) });
    });
  }
}

/** The failure of a declared error's details; null when they are valid. */
function checkDetails(
  contract: Contract | null,
  code: string,
  details: unknown,
): Failure | null | Promise<Failure | null> {
  if (contract === null || !Object.hasOwn(contract.errors, code)) return null;
  const schema = contract.errors[code] ?? null;
  if (schema === null) return null;
  const refused = (error: unknown) => (error as DispatchFailure).failure;
  const fits = () => detailsFit(contract, code, details);
  try {
    const checked = validate(schema, details, (issues) => {
      return new DispatchFailure(detailsInvalid(contract, code, describeIssues(issues)));
    });
    return checked instanceof Promise ? checked.then(fits, refused) : fits();
  } catch (error) {
    return refused(error);
  }
}
