import { errorText, ZeromeshError } from "../../core/mod.ts";
import type { InboundMessage } from "../../transport/mod.ts";
import {
  AckHeader,
  codeOfVeloText,
  decodeAck,
  decodeHeaders,
  decodeRequest,
  decodeResponse,
  errorFromHeaders,
  MessageType,
  NameCache,
  type RemoteErrorFacts,
  RequestHeader,
  ResponseHeader,
  ResponseKind,
} from "../../wire/mod.ts";
import type { Dispatcher } from "./dispatch.ts";
import { answersFor } from "../peers/identity.ts";
import { payloadLimit } from "../calls/payload_limit.ts";
import type { PendingCall } from "../calls/pending.ts";
import type { Session } from "../peers/peer.ts";
import type { StagedRequests } from "../velo/staged.ts";
import type { SharedParts } from "../shared_parts.ts";

const decoder = new TextDecoder();

/** Where inbound messages go. */
export interface InboundParts extends Pick<SharedParts, "calls" | "drops" | "logger" | "maxPayloadBytes"> {
  /** Takes requests. */
  readonly dispatcher: Dispatcher;
  /** Takes requests whose payload has to be fetched first. */
  readonly staged: StagedRequests;
}

/** Decodes the header of every inbound message and brings it to whom it is for. */
export class InboundRouter {
  readonly #parts: InboundParts;
  readonly #names = new NameCache({ maxNames: 16_384 });
  readonly #request = new RequestHeader();
  readonly #response = new ResponseHeader();
  readonly #ack = new AckHeader();

  /** @param parts Where messages go. */
  constructor(parts: InboundParts) {
    this.#parts = parts;
  }

  /** Handles one message. A defect in here costs this one, and none of those that came with it. */
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
      case MessageType.ack:
      case MessageType.event:
        return this.#onAck(session, message);
      case MessageType.shuttingDown:
        return this.#onShuttingDown(session, message);
      default:
        return this.#parts.drops.count("typeUnknown");
    }
  }

  /** Reads a request's header; false, and counted, when it is none. */
  #decodeRequest({ header, headerView, headerStart, headerEnd }: InboundMessage): boolean {
    const reason = decodeRequest(header, headerView, headerStart, headerEnd, this.#request, this.#names);
    if (reason !== null) this.#parts.drops.count(reason);
    return reason === null;
  }

  #onRequest(session: Session, message: InboundMessage): void {
    const header = this.#request;
    if (!this.#decodeRequest(message)) return;
    const size = message.payloadEnd - message.payloadStart;
    const { maxPayloadBytes } = this.#parts;
    if (size > maxPayloadBytes && size > payloadLimit(header.system, maxPayloadBytes)) {
      this.#parts.drops.count("payloadTooLarge");
      return this.#parts.dispatcher.tooLarge(
        session,
        header,
        size,
        payloadLimit(header.system, maxPayloadBytes),
      );
    }
    if (!this.#parts.staged.take(session, message, header)) {
      this.#parts.dispatcher.request(session, message, header);
    }
  }

  /** Handles a request whose header was fine before, and whose payload has come since. */
  fetched(session: Session, message: InboundMessage): void {
    const header = this.#request;
    const { headerStart, headerEnd } = message;
    decodeRequest(message.header, message.headerView, headerStart, headerEnd, header, this.#names);
    this.#parts.dispatcher.request(session, message, header);
  }

  #onResponse(session: Session, message: InboundMessage): void {
    const header = this.#response;
    const reason = decodeResponse(
      message.header,
      message.headerView,
      message.headerStart,
      message.headerEnd,
      header,
    );
    if (reason !== null) return this.#parts.drops.count(reason);
    const call = this.#waiting(session, header);
    if (call === null) return;
    if (message.unread) return this.#tooLarge(call, message, header.failed);
    if (!header.failed) return this.#succeed(call, message);
    const headers = header.headersEnd > header.headersStart
      ? decodeHeaders(message.header, header.headersStart, header.headersEnd)
      : null;
    const facts = typeof headers === "object" && headers !== null ? errorFromHeaders(headers) : null;
    call.fail(remoteError(call, decoder.decode(message.payload), "response", facts));
  }

  #onAck(session: Session, message: InboundMessage): void {
    const header = this.#ack;
    const reason = decodeAck(
      message.header,
      message.headerView,
      message.headerStart,
      message.headerEnd,
      header,
    );
    if (reason !== null) return this.#parts.drops.count(reason);
    if (header.event) return this.#parts.drops.count("replyUnknown");
    const call = this.#waiting(session, header);
    if (call === null) return;
    if (message.unread) this.#tooLarge(call, message, header.failed);
    else if (header.failed) call.fail(remoteError(call, decoder.decode(message.payload), "ack", null));
    else this.#succeed(call, message);
  }

  #succeed(call: PendingCall, message: InboundMessage): void {
    const size = message.payloadEnd - message.payloadStart;
    if (size <= payloadLimit(call.system, this.#parts.maxPayloadBytes)) call.answer(message);
    else this.#tooLarge(call, message, false);
  }

  #tooLarge(call: PendingCall, { payloadStart, payloadEnd }: InboundMessage, failed: boolean): void {
    this.#parts.drops.count("payloadTooLarge");
    const limit = payloadLimit(call.system, this.#parts.maxPayloadBytes);
    call.fail(answerTooLarge(call, payloadEnd - payloadStart, limit, failed));
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

  /** The call that a reply ends; null when nobody waits for it, or not on this connection. */
  #waiting(session: Session, id: RequestHeader | ResponseHeader | AckHeader): PendingCall | null {
    const call = this.#parts.calls.find(id);
    const asked = call?.session ?? null;
    // Towards one of ours only the connection that carried the request can bring its answer, towards plain Velo
    // one that bears the peer's id, and with CURVE only the owner of the key that was asked.
    const foreign = asked === null || asked.link.peerKey !== session.link.peerKey ||
      (asked !== session &&
        (asked.sameConnection || (asked.peer !== null && !answersFor(session, asked.peer))));
    if (call === null || foreign) {
      this.#parts.drops.count("replyUnknown");
      return null;
    }
    call.answeredBy = session;
    return call;
  }
}

/** Plain Velo does not know our limit. */
function answerTooLarge(call: PendingCall, bytes: number, limit: number, failed: boolean): ZeromeshError {
  // Whose failure it was, its text would have told.
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

/** What a peer reported, as the caller's error. */
function remoteError(
  call: PendingCall,
  text: string,
  reply: "response" | "ack",
  facts: RemoteErrorFacts | null,
): ZeromeshError {
  const { peer, handler } = call;
  if (facts !== null) {
    const { code, ran, data: details } = facts;
    // Who that is, the caller knows best, for instance of a service.
    const message = code === "HANDLER_NOT_FOUND" && details === undefined
      ? `${describePeer(call)} has no handler "${handler}"`
      : text;
    return new ZeromeshError(code, message, { peer, handler, ran, details });
  }
  const { code, ran } = codeOfVeloText(text, { reply, handler, unary: call.accept !== null });
  return new ZeromeshError(code, text, { peer, handler, ran });
}
