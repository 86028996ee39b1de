import { errorText, ZeromeshError } from "../../core/mod.ts";
import type { InboundMessage } from "../../transport/mod.ts";
import {
  AckHeader,
  decodeAck,
  decodeHeaders,
  decodeRequest,
  decodeResponse,
  errorFromHeaders,
  hasAckHeader,
  MessageType,
  NameCache,
  type RemoteErrorFacts,
  RequestHeader,
  ResponseHeader,
  ResponseKind,
} from "../../wire/mod.ts";
import type { Dispatcher } from "./dispatch.ts";
import { mayAnswer } from "../peers/identity.ts";
import { payloadLimit } from "../calls/payload_limit.ts";
import type { PendingCall } from "../calls/pending.ts";
import type { Session } from "../peers/peer.ts";
import { errorOfText } from "../velo/words.ts";
import type { StagedRequests } from "../velo/staged_requests.ts";
import type { SharedParts } from "../shared_parts.ts";

const decoder = new TextDecoder();
const sizeOf = ({ payloadStart, payloadEnd }: InboundMessage): number => payloadEnd - payloadStart;

/** The parts of an {@link InboundRouter}. */
export interface InboundParts extends Pick<SharedParts, "calls" | "drops" | "logger" | "maxPayloadBytes"> {
  /** Dispatches requests. */
  readonly dispatcher: Dispatcher;
  /** Fetches the payloads of staged requests. */
  readonly staged: StagedRequests;
}

/** Decodes the header of every inbound message and routes it. */
export class InboundRouter {
  readonly #parts: InboundParts;
  readonly #names = new NameCache({ maxNames: 16_384 });
  readonly #request = new RequestHeader();
  readonly #response = new ResponseHeader();
  readonly #ack = new AckHeader();

  /** @param parts Its parts. */
  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  /** Routes one message. A defect in here affects no other message of the same batch. */
  message(session: Session, message: InboundMessage): void {
    try {
      this.#message(session, message);
    } catch (error) {
      this.#parts.logger.error("handling a message failed", { error: errorText(error) });
    }
  }

  #message(session: Session, message: InboundMessage): void {
    switch (message.type) {
      case MessageType.message:
        return this.#onRequest(session, message);
      case MessageType.response:
        return this.#onResponse(session, message);
      case MessageType.shuttingDown:
        return this.#onShuttingDown(session, message);
      default:
        if (hasAckHeader(message.type)) return this.#onAck(session, message);
        return this.#parts.drops.count("typeUnknown");
    }
  }

  /** Decodes a request's header; returns false, and counts it, when it is invalid. */
  #decodeRequest({ header, headerView, headerStart, headerEnd }: InboundMessage): boolean {
    const reason = decodeRequest(header, headerView, headerStart, headerEnd, this.#request, this.#names);
    if (reason !== null) this.#parts.drops.count(reason);
    return reason === null;
  }

  #onRequest(session: Session, message: InboundMessage): void {
    const header = this.#request;
    if (!this.#decodeRequest(message)) return;
    const limit = this.#exceeded(header, message);
    if (limit > 0) return this.#parts.dispatcher.tooLarge(session, header, sizeOf(message), limit);
    if (!this.#parts.staged.take(session, message, header)) {
      this.#parts.dispatcher.request(session, message, header);
    }
  }

  /** Dispatches a request whose payload was fetched. */
  fetched(session: Session, message: InboundMessage): void {
    const header = this.#request;
    const { headerStart, headerEnd } = message;
    decodeRequest(message.header, message.headerView, headerStart, headerEnd, header, this.#names);
    this.#parts.dispatcher.request(session, message, header);
  }

  #onResponse(session: Session, message: InboundMessage): void {
    const header = this.#response;
    const { header: bytes, headerView, headerStart, headerEnd } = message;
    const reason = decodeResponse(bytes, headerView, headerStart, headerEnd, header);
    if (reason !== null) return this.#parts.drops.count(reason);
    const call = this.#answered(session, message, header);
    if (call === null) return;
    const { headersStart, headersEnd } = header;
    const headers = headersEnd > headersStart ? decodeHeaders(bytes, headersStart, headersEnd) : null;
    const facts = typeof headers === "object" && headers !== null ? errorFromHeaders(headers) : null;
    call.fail(remoteError(call, decoder.decode(message.payload), "response", facts));
  }

  #onAck(session: Session, message: InboundMessage): void {
    const header = this.#ack;
    const { header: bytes, headerView, headerStart, headerEnd } = message;
    const reason = decodeAck(bytes, headerView, headerStart, headerEnd, header);
    if (reason !== null) return this.#parts.drops.count(reason);
    if (header.completesNone) return this.#parts.drops.count("replyUnknown");
    const call = this.#answered(session, message, header);
    call?.fail(remoteError(call, decoder.decode(message.payload), "ack", null));
  }

  /** Ends the call of a reply. Returns a failed one, whose error is still to be read. */
  #answered(
    session: Session,
    message: InboundMessage,
    header: ResponseHeader | AckHeader,
  ): PendingCall | null {
    const call = this.#waiting(session, header);
    if (call === null) return null;
    const { failed } = header;
    const limit = failed && !message.unread ? 0 : this.#exceeded(call, message);
    if (limit > 0) call.fail(answerTooLarge(call, sizeOf(message), limit, failed));
    else if (failed) return call;
    else call.answer(message);
    return null;
  }

  /** The limit that a message's payload exceeds; 0 for none. Such a message is counted. */
  #exceeded(of: { readonly system: boolean }, message: InboundMessage): number {
    const { drops, maxPayloadBytes } = this.#parts;
    const bytes = sizeOf(message);
    if (bytes <= maxPayloadBytes) return 0;
    const limit = payloadLimit(of.system, maxPayloadBytes);
    if (bytes <= limit) return 0;
    drops.count("payloadTooLarge");
    return limit;
  }

  #onShuttingDown(session: Session, message: InboundMessage): void {
    const header = this.#request;
    if (!this.#decodeRequest(message)) return;
    if (header.kind === ResponseKind.fire) return;
    const call = this.#waiting(session, header);
    call?.fail(
      new ZeromeshError("PEER_DRAINING", `${describePeer(call)} is shutting down and takes no new requests`, {
        peer: call.peer,
        handler: call.handler,
      }),
    );
  }

  /** The call that a reply ends; null when none waits for it, or not on this connection. */
  #waiting(session: Session, id: RequestHeader | ResponseHeader | AckHeader): PendingCall | null {
    const call = this.#parts.calls.find(id);
    if (call === null || !mayAnswer(session, call.session)) {
      this.#parts.drops.count("replyUnknown");
      return null;
    }
    call.answeredBy = session;
    return call;
  }
}

/** The error of an answer above the limit: not every peer knows it. */
function answerTooLarge(call: PendingCall, bytes: number, limit: number, failed: boolean): ZeromeshError {
  // A failure's text would have told whether the handler ran.
  const ran = failed ? "maybe" : "yes";
  return new ZeromeshError(
    "PAYLOAD_TOO_LARGE",
    `${
      describePeer(call)
    } answered "${call.handler}" with ${bytes} bytes, more than maxPayloadBytes (${limit})`,
    { peer: call.peer, handler: call.handler, ran, details: { bytes, limit } },
  );
}

function describePeer(call: PendingCall): string {
  return call.peer === undefined ? "The peer" : `Peer ${call.peerText}`;
}

/** Converts a peer's error into the caller's. */
function remoteError(
  call: PendingCall,
  text: string,
  reply: "response" | "ack",
  facts: RemoteErrorFacts | null,
): ZeromeshError {
  const { peer, handler } = call;
  if (facts !== null) {
    const { code, ran, data: details } = facts;
    // The caller may name the handler better, for instance by its service.
    const message = code === "HANDLER_NOT_FOUND" && details === undefined
      ? `${
        describePeer(call)
      } has no handler "${handler}"; check the name, or wait for it with waitForHandler()`
      : text;
    return new ZeromeshError(code, message, { peer, handler, ran, details });
  }
  return errorOfText(call, text, reply);
}
