import { ZeromeshError } from "../../core/mod.ts";
import { SendOutcome } from "../../transport/mod.ts";
import {
  borrowHeaders,
  encodeRequest,
  encodeTtl,
  encodingHeader,
  MessageType,
  type ResponseId,
  ResponseKind,
  ttlHeader,
  withCredit,
  withoutAnswer,
} from "../../wire/mod.ts";
import type { EncodedNames } from "./encoded_names.ts";
import { tableFull } from "../peers/link_errors.ts";
import {
  checkPeerLimit,
  creditFor,
  creditUsedUp,
  lostBeforeSending,
  ownPayload,
  queueFull,
  remaining,
  type Request,
  tooManyWait,
} from "./request.ts";
import type { PendingCall } from "./pending.ts";
import type { Session } from "../peers/peer.ts";
import type { SharedParts } from "../shared_parts.ts";

/** Sends requests over a connection, or queues them for room or credit. */
export class RequestSender {
  readonly #parts: SharedParts;
  readonly #encoded: EncodedNames;

  /** @param parts Its parts. */
  constructor(parts: SharedParts, encoded: EncodedNames) {
    this.#parts = parts;
    this.#encoded = encoded;
  }

  /** The short way for a message without an answer. Returns false when it must wait. */
  fire(handler: string, request: Request, session: Session): boolean {
    checkPeerLimit(handler, request, session);
    const credit = creditFor(request, session);
    if (credit !== null && !credit.isOpen) {
      if (this.#mayWait(session, request)) return false;
      throw this.#creditRefusal(handler, session);
    }
    const outcome = this.#send(handler, request, session, this.#parts.calls.fireId, Infinity);
    if (outcome === SendOutcome.sent || outcome === SendOutcome.queued) {
      // Measured: without a look half-way, a loop of sends on Bun stops at the end of each window (2.0 M/s, not 2.6).
      if (credit?.window.spend(request.payload.length) === true) this.#parts.transport.readSoon();
      return true;
    }
    if (this.#parts.overflow === "fail") throw queueFull(handler, session);
    return false;
  }

  /** Sends a call over its connection. Returns false when it still has to wait, first in its `line`. */
  transmit(
    call: PendingCall,
    request: Request,
    session: Session,
    line: "room" | "credit" | null = null,
  ): boolean {
    if (call.settled) return true;
    try {
      checkPeerLimit(call.handler, request, session);
      call.session = session;
      const { calls, clock } = this.#parts;
      const credit = creditFor(request, session);
      const { length: size } = request.payload;
      // A request that waits for room has its credit and its turn.
      const held = line !== "room" &&
        (credit === null ? session.credit?.holdsBack(call.handler) === true : !credit.isOpen);
      if (held) {
        if (line === "credit") return false;
        this.#waitForCredit(call, request, session);
        return true;
      }
      const unanswered = request.kind === ResponseKind.fire && request.confirm === undefined;
      if (!unanswered && call.tableSlot < 0 && !calls.enlist(call)) throw tableFull();
      if (request.confirm !== undefined) {
        request.payload = request.confirm(call);
        request.owned = false;
      }
      const added = request.companion?.sending(call);
      const timeless = request.kind === ResponseKind.fire || added !== undefined;
      const ttlMs = timeless ? Infinity : remaining(call, clock);
      const id = request.kind === ResponseKind.fire ? calls.fireId : call;
      const outcome = this.#send(call.handler, request, session, id, ttlMs, added);
      if (outcome === SendOutcome.full) {
        if (line === "room") return false;
        this.#waitForRoom(call, request, session, line === "credit");
        return true;
      }
      call.number = session.link.accepted;
      if (line === "room") request.waits = false;
      else credit?.window.spend(size);
      if (unanswered) call.succeed(undefined);
    } catch (error) {
      call.fail(error);
    }
    return true;
  }

  /** Hands a request to its link. @throws {ZeromeshError} `PEER_DISCONNECTED`. */
  #send(
    handler: string,
    request: Request,
    session: Session,
    id: ResponseId,
    ttlMs: number,
    added?: Readonly<Record<string, string>>,
  ): SendOutcome {
    const headers = this.#encodeHeaders(handler, request, session, ttlMs, added);
    const { headerBytes, headerView } = this.#parts.transport;
    const kind = saidKind(request, session);
    const length = encodeRequest(headerBytes, headerView, 0, kind, id, request.name, headers);
    const outcome = session.link.send(MessageType.message, length, request.payload, request.owned);
    if (outcome === SendOutcome.closed) throw lostBeforeSending(handler, session);
    return outcome;
  }

  #waitForRoom(call: PendingCall, request: Request, session: Session, waited: boolean): void {
    const { length: size } = request.payload;
    if (!waited && !this.#mayWait(session, request)) {
      return call.fail((this.#parts.overflow === "fail" ? queueFull : tooManyWait)(call.handler, session));
    }
    this.#ownForLater(call, request, session);
    const credit = creditFor(request, session);
    credit?.window.spend(size);
    request.waits = true;
    const left = () => {
      unwait(session, size);
      if (request.waits === true && session.link.state !== "closed") credit?.giveBack(size);
    };
    call.place = session.link.queueUp(() => this.transmit(call, request, session, "room"), left);
  }

  #waitForCredit(call: PendingCall, request: Request, session: Session): void {
    const credit = session.credit!;
    const { length: size } = request.payload;
    if (!this.#mayWait(session, request)) return call.fail(this.#creditRefusal(call.handler, session));
    this.#ownForLater(call, request, session);
    const go = () => this.transmit(call, request, session, "credit");
    call.place = credit.join(call.handler, go, () => unwait(session, size));
  }

  #creditRefusal(handler: string, session: Session): ZeromeshError {
    const { overflow, creditCounts } = this.#parts;
    creditCounts.refused++;
    return overflow === "fail" ? creditUsedUp(handler, session) : tooManyWait(handler, session);
  }

  #mayWait({ waiting }: Session, request: Request): boolean {
    const { overflow, maxWaitingSends, maxWaitingBytes } = this.#parts;
    if (overflow === "fail") return false;
    // One may wait whatever its size. Calls have their own limit, maxPendingCalls.
    if (waiting.count === 0) return true;
    if (waiting.count >= maxWaitingSends) return false;
    return request.kind !== ResponseKind.fire || waiting.bytes + request.payload.length <= maxWaitingBytes;
  }

  #ownForLater(call: PendingCall, request: Request, { waiting }: Session): void {
    waiting.count++;
    waiting.bytes += request.payload.length;
    ownPayload(request);
    // Not sent yet: if the call ends now, its `ran` is "no".
    call.number = Infinity;
    call.waited = true;
  }

  #encodeHeaders(
    handler: string,
    request: Request,
    session: Session,
    ttlMs: number,
    added: Readonly<Record<string, string>> | undefined,
  ): Uint8Array | null {
    const msgpack = request.encoding === "msgpack";
    if (msgpack && !session.msgpack) {
      throw new ZeromeshError(
        "PEER_LACKS_FEATURE",
        `Cannot call "${handler}": its contract uses MessagePack, which ${session.who} does not support`,
        { peer: session.peer?.instanceId, handler },
      );
    }
    const ttl = session.deadline && ttlMs !== Infinity;
    if (request.headers === undefined && !msgpack && added === undefined) {
      return ttl ? this.#encoded.ttl(ttlMs) : null;
    }
    if (request.headers === undefined && !msgpack && !ttl) return borrowHeaders(added!);
    const all: Record<string, string> = { ...request.headers, ...added };
    if (msgpack) all[encodingHeader] = "msgpack";
    if (ttl) all[ttlHeader] = encodeTtl(ttlMs);
    return borrowHeaders(all);
  }
}

/** The kind byte of a request. */
function saidKind(request: Request, session: Session): number {
  const { kind } = request;
  if (request.system) return creditFor(request, session) === null ? kind : kind | withCredit;
  return request.am === true && session.kind ? kind | withoutAnswer : kind;
}

function unwait({ waiting }: Session, size: number): void {
  waiting.count--;
  waiting.bytes -= size;
}
