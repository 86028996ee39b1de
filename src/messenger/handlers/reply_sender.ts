import type { ErrorCode, Ran } from "../../core/mod.ts";
import { smallFrameBytes, type Transport } from "../../transport/mod.ts";
import {
  encodeAck,
  encodeHeaders,
  encodeRequest,
  encodeResponse,
  errorHeaders,
  MessageType,
  type ResponseId,
  ResponseKind,
  validateHandlerName,
} from "../../wire/mod.ts";
import type { Session } from "../peers/peer.ts";
import type { ReplyLinks } from "../velo/reply_links.ts";
import type { Words } from "../velo/words.ts";

/** The request of a reply: its id, its kind, and its connection. */
export interface ReplyTarget extends ResponseId {
  /** The awaited reply. */
  readonly kind: ResponseKind;
  /** The called handler. */
  readonly handlerName: string;
  /** The request's connection. */
  readonly session: Session;
}

/** A failure for the caller. */
export interface Failure {
  /** Code, for zeromesh instances. */
  readonly code: ErrorCode;
  /** Text, for zeromesh instances. */
  readonly message: string;
  /** Data of a declared error. */
  readonly data?: unknown;
  /** Whether the handler ran. @default {according to the code} */
  readonly ran?: Ran | undefined;
  /** Text for peers that take no codes. @default {message} */
  readonly words?: Words | undefined;
}

const nothing = new Uint8Array(new ArrayBuffer(0));
const encoder = new TextEncoder();

/**
 * Sends answers over the request's own connection, or, to peers that do not take them there, over one that this
 * instance dials.
 */
export class ReplySender {
  readonly #transport: Transport<Session>;
  readonly #replyLinks: ReplyLinks;

  /** @param replyLinks The connections that are dialled for answers. */
  constructor(transport: Transport<Session>, replyLinks: ReplyLinks) {
    this.#transport = transport;
    this.#replyLinks = replyLinks;
  }

  /** Sends success, with the result for unary calls. */
  succeed(target: ReplyTarget, result: Uint8Array, owned: boolean): void {
    const { headerBytes, headerView } = this.#transport;
    if (target.kind === ResponseKind.unary) {
      const length = encodeResponse(headerBytes, headerView, 0, target, false, null);
      this.#send(target, MessageType.response, length, result, owned);
    } else if (target.kind === ResponseKind.ack) {
      const length = encodeAck(headerBytes, headerView, 0, target, false);
      this.#send(target, MessageType.ack, length, nothing, true);
    }
  }

  /** Confirms a message, with a payload for its sender. */
  confirm(target: ReplyTarget, payload: Uint8Array): void {
    const { headerBytes, headerView } = this.#transport;
    const length = encodeAck(headerBytes, headerView, 0, target, false);
    this.#send(target, MessageType.ack, length, payload, false);
  }

  /** Sends a failure. */
  fail(target: ReplyTarget, failure: Failure): void {
    if (target.kind === ResponseKind.fire) return;
    const { headerBytes, headerView } = this.#transport;
    const { session: { errors }, kind } = target;
    const { code, message, data, ran, words } = failure;
    const text = failureText(errors ? message : words?.text ?? message, target.session);
    if (!errors && (kind !== ResponseKind.unary || words?.nack === true)) {
      const length = encodeAck(headerBytes, headerView, 0, target, true);
      return this.#send(target, MessageType.ack, length, text, true);
    }
    const headers = errors ? encodeHeaders(errorHeaders(code, data, ran)) : null;
    const length = encodeResponse(headerBytes, headerView, 0, target, true, headers);
    this.#send(target, MessageType.response, length, text, true);
  }

  /** Gives a request back while the instance drains: its header, verbatim if still available, as type 4. */
  giveBack(target: ReplyTarget, header: Uint8Array = headerOf(target)): void {
    this.#transport.headerBytes.set(header);
    this.#send(target, MessageType.shuttingDown, header.length, nothing, true);
  }

  #send(target: ReplyTarget, type: number, length: number, payload: Uint8Array, owned: boolean): void {
    const session = target.session;
    if (session.sameConnection || (session.helloHere && target.handlerName === "_hello")) {
      return session.link.post(type, length, payload, owned);
    }
    this.#replyLinks.answer(session, target, type, length, payload, owned);
  }
}

function headerOf(target: ReplyTarget): Uint8Array {
  const name = validateHandlerName(target.handlerName, { system: true });
  const header = new Uint8Array(name.length + 22);
  encodeRequest(header, new DataView(header.buffer), 0, target.kind, target, name, null);
  return header;
}

/** The text of a failure, cut to the peer's limit: a longer one would cost the connection. */
function failureText(text: string, session: Session): Uint8Array {
  const bytes = encoder.encode(text);
  const limit = Math.max(session.maxPayloadBytes, smallFrameBytes);
  if (bytes.length <= limit) return bytes;
  const cut = new Uint8Array(limit);
  return cut.subarray(0, encoder.encodeInto(text, cut).written);
}
