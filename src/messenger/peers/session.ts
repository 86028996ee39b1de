import type { Clock, Credit } from "../../core/mod.ts";
import type { Link } from "../../transport/mod.ts";
import type { Feature, Negotiation, PeerNegotiation, ResponseId } from "../../wire/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import { type Peer, peerText } from "./peers.ts";
import { ReceivedCredit } from "../credit/received_credit.ts";
import { type CreditCounts, SendCredit } from "../credit/send_credit.ts";

/** What this instance brings to every handshake. */
export interface Terms extends Negotiation {
  /** Where credit is counted. */
  readonly creditCounts: CreditCounts;
}

let lastSerial = 0;

/** What two instances agreed on for one connection. */
export class Session {
  /** The connection. */
  readonly link: Link<Session>;
  /** Tells it from all other ones. */
  readonly serial = ++lastSerial;
  /** Who is at the other end; null until the handshake. */
  peer: Peer | null = null;
  /** Whether the other end is one of ours. */
  zeromesh = false;
  /** Failed calls carry code and data. */
  errors = false;
  /** Replies and calls use the connection the peer dialled. */
  sameConnection = false;
  /** The answer to the peer's `_hello` uses it in any case, since there may be no other way. */
  helloHere = false;
  /** Calls say how long they may take. */
  deadline = false;
  /** Calls can be given up. */
  cancel = false;
  /** Contracts may use MessagePack. */
  msgpack = false;
  /** Many messages in one frame. */
  batch = false;
  /** Event completions carry values and codes, and subscriptions can be taken back. */
  events = false;
  /** Requests say that the caller's contract has no answer. */
  kind = false;
  /** Metadata that is too large for a header stands in front of the payload. */
  metadata = false;
  /** Which run of its instance the other end is; null when it does not say. */
  run: string | null = null;
  /** What people call the other end; null without a name. */
  name: string | null = null;
  /** Larger payloads are not sent: they would cost the connection. */
  maxPayloadBytes = Infinity;
  /** The plain peer whose answers came by it last, which is then not asked again. */
  answersFor: Peer | null = null;
  /** Whether the other end has said that it is shutting down. */
  leaving = false;
  /** Messages of the other end that a handler is working on, or that wait for one, by {@link runningKey}. */
  readonly running = new Map<number, InboundCall>();

  /** What the other end still takes of messages that nobody answers; null without feature `credit`. */
  credit: SendCredit | null = null;
  /** What was finished of such messages of the other end; null without feature `credit`. */
  received: ReceivedCredit | null = null;
  /** What was finished before both sides had agreed: the other end may have, and counts it. */
  readonly early = { count: 0, bytes: 0 };

  /** Sends that wait for room or credit, and the bytes of their payloads. */
  readonly waiting = { count: 0, bytes: 0 };

  /** Messages of the other end that are held here. */
  readonly held = { messages: 0, bytes: 0 };

  /** The connection that answers to the other end take, when it is another one. */
  replyLink: Link<Session> | null = null;

  /** @param link The connection, which then knows this session. */
  constructor(link: Link<Session>) {
    this.link = link;
    link.session = this;
  }

  /** How texts name the other end, once it is known; without a peer it is the connection to oneself. */
  get who(): string {
    return this.peer === null ? "this instance" : peerText(this.peer);
  }

  /** Whether new calls may go out by it. */
  get usable(): boolean {
    return this.link.state === "open" && !this.leaving;
  }

  /** Bytes of answers that the other end has not read, with whatever else libzmq holds for it. */
  get unread(): number {
    return (this.replyLink ?? this.link).outlet?.held ?? 0;
  }

  /** Hands over what the other end has room for by now, without waiting for the next look. */
  relieve(): void {
    const { outlet } = this.replyLink ?? this.link;
    if (outlet === null) return;
    outlet.look();
    outlet.refused = false;
    (this.replyLink ?? this.link).retry();
  }

  /** A message that nobody answers no longer takes up room here. Returns whether its sender should be told. */
  finish(bytes: number, message: object | null, clock: Clock): boolean {
    const { received, early } = this;
    if (received !== null) return received.ended(bytes, message, clock);
    early.count++;
    early.bytes += bytes;
    return false;
  }

  /**
   * Takes over what both sides named. A later `_hello` adds to what an earlier one named and takes nothing away: what is
   * under way was agreed on before.
   */
  negotiate(ours: Terms, theirs: PeerNegotiation | null): void {
    if (theirs === null) return;
    this.zeromesh = true;
    this.run ??= theirs.run;
    this.name ??= theirs.name;
    if (this.maxPayloadBytes === Infinity) this.maxPayloadBytes = theirs.maxPayloadBytes;
    const both = (feature: Feature) => theirs.features.has(feature) && ours.features.includes(feature);
    this.errors ||= both("errors");
    this.sameConnection ||= both("same-connection");
    this.helloHere ||= theirs.features.has("same-connection");
    this.deadline ||= both("deadline");
    this.cancel ||= both("cancel");
    this.msgpack ||= both("msgpack");
    this.batch ||= both("batch");
    this.events ||= both("events");
    this.kind ||= both("kind");
    this.metadata ||= both("metadata");
    if (both("credit") && this.sameConnection) this.startCredit(ours, theirs.credit);
  }

  /** Starts with the windows that both sides give. Once: a second `_hello` on the same connection changes nothing. */
  startCredit(ours: Terms, theirs: Credit | null): void {
    if (this.credit !== null || ours.credit === undefined || theirs === null) return;
    this.received = new ReceivedCredit(ours.credit);
    this.received.ledger.add(this.early);
    const credit = this.credit = new SendCredit(theirs, ours.creditCounts);
    this.link.beforeExit = () => credit.release();
  }
}

/**
 * The key of a call among the running ones of its session: exact for 2^21 generations of a slot, and beyond
 * that only compared, so whoever looks a call up checks its id.
 */
export function runningKey(id: ResponseId): number {
  return id.id3 * 2 ** 32 + id.id2;
}
