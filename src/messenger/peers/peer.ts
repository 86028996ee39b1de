import {
  type Clock,
  type Credit,
  type InstanceId,
  instanceIdToBytes,
  type WorkerId,
  workerIdOf,
} from "../../core/mod.ts";
import type { Link } from "../../transport/mod.ts";
import type { Feature, Negotiation, PeerNegotiation, ResponseId } from "../../wire/mod.ts";
import { baseDialect, type Dialect, ownDialect } from "../velo/dialect.ts";
import { ReceivedCredit } from "../credit/received_credit.ts";
import { type CreditCounts, SendCredit } from "../credit/send_credit.ts";

/** What this instance brings to every handshake. */
export interface Terms extends Negotiation {
  /** Where credit is counted. */
  readonly creditCounts: CreditCounts;
}

/** A message of the other end while a handler is working on it, or while it waits for one. */
export interface RunningCall extends ResponseId {
  /** The handler's name. */
  readonly handlerName: string;
  /** Has it end before its handler has finished. */
  abort(reason: unknown): void;
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
  /** The dialect of the other end. */
  dialect: Dialect = baseDialect;
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
  /** Requests say that the caller's contract has no answer. */
  kind = false;
  /** Messages for handlers of the system's say that they have used up credit. */
  admission = false;
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
  readonly running: Map<number, RunningCall> = new Map();

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

  readonly #agreed = new Set<Feature>();

  /** The connection that answers to the other end take, when it is another one. */
  replyLink: Link<Session> | null = null;

  /** @param link The connection, which then knows this session. */
  constructor(link: Link<Session>) {
    this.link = link;
    link.session = this;
  }

  /** Whether both ends speak a feature. What is asked about each message has a field of its own. */
  supports(feature: Feature): boolean {
    return this.#agreed.has(feature);
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
    this.dialect = ownDialect;
    this.run ??= theirs.run;
    this.name ??= theirs.name;
    if (this.maxPayloadBytes === Infinity) this.maxPayloadBytes = theirs.maxPayloadBytes;
    for (const feature of ours.features) if (theirs.features.has(feature)) this.#agreed.add(feature);
    const both = (feature: Feature) => this.#agreed.has(feature);
    this.errors ||= both("errors");
    this.sameConnection ||= both("same-connection");
    this.helloHere ||= theirs.features.has("same-connection");
    this.deadline ||= both("deadline");
    this.cancel ||= both("cancel");
    this.msgpack ||= both("msgpack");
    this.batch ||= both("batch");
    this.kind ||= both("kind");
    this.metadata ||= both("metadata");
    if (both("credit") && this.sameConnection) this.startCredit(ours, theirs.credit);
    this.admission = this.credit !== null && both("admission");
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

/** What `messenger.peers()` tells about one peer. */
export interface PeerView {
  /** Its id. */
  readonly instanceId: InstanceId;
  /** Its worker id. */
  readonly workerId: WorkerId;
  /** Whether a connection with an answered handshake exists. */
  readonly up: boolean;
  /** Whether it is one of ours, or plain Velo. */
  readonly zeromesh: boolean;
  /** Where it can be dialled, the one to prefer first. */
  readonly endpoints: readonly string[];
  /** What its option `name` says; null without one. */
  readonly name: string | null;
}

// Restarts make one each; whether one comes back is asked of the last few.
const keptRuns = 4;

/** How texts name a peer. */
export function peerText(peer: Pick<Peer, "instanceId" | "name">): string {
  return peer.name === null ? peer.instanceId : `${peer.instanceId} (${peer.name})`;
}

/** One other instance, with the connections to it. */
export class Peer {
  /** Its id. */
  readonly instanceId: InstanceId;
  /** Its id as bytes. */
  readonly idBytes: Uint8Array;
  /** Its worker id. */
  readonly workerId: WorkerId;
  /** Low half of the worker id. */
  readonly worker0: number;
  /** High half of the worker id. */
  readonly worker1: number;
  /** Where it can be dialled. */
  endpoints: readonly string[] = [];
  /** What people call it, as it says; null without a name. */
  name: string | null = null;
  /** Its CURVE public key, Z85; null where none is known. */
  publicKey: string | null = null;
  /** Whether the user has said that this is its key. */
  keyRegistered = false;
  /** When it was last connected, or told of, in milliseconds of the clock. */
  lastSeen = 0;
  /** Which run of the instance was met last; null when it does not say. */
  run: string | null = null;
  /** The runs met before, newest last. */
  readonly #formerRuns: string[] = [];
  /** The connection that this side dialled, after the handshake. */
  dialled: Session | null = null;
  /** The connection that it dialled, after the handshake. */
  accepted: Session | null = null;
  /** The attempt to connect that is under way. */
  connecting: Promise<Session> | null = null;
  /** The address dialled last in that attempt, and when. */
  attempted: { readonly link: Link<Session>; readonly at: number } | null = null;
  /** Towards plain Velo: the connection by which replies go, which needs no handshake. */
  replies: Session | null = null;
  /** The attempt to make {@link replies}. */
  openingReplies: Promise<Session> | null = null;
  /** Whether something was sent by them since somebody looked. */
  repliesUsed = false;
  /** Which of the addresses of its name it is dialled at for {@link replies}. */
  replyAddress = 0;
  /** The endpoint that the user dialled, which may be a name that outlives the addresses the peer tells. */
  given: string | null = null;
  /** Whether this side was told of it, found it or dialled it. All others are strangers, which came by themselves. */
  known = false;
  /** Whether discovery told about it, and not somebody who knew. */
  found = false;
  /** Whether a person wrote down its id and address. */
  fixed = false;
  /** Whether it was ever met. */
  met = false;
  /** Whether it has answered over a connection that bears its id; then no nameless one answers for it. */
  named = false;
  /** The dialect of its last connection with a handshake. */
  dialect: Dialect = baseDialect;
  /** The question under way whether the process behind its connection lives. */
  asking: Promise<void> | null = null;
  /** Calls that wait for a connection, in their order. */
  waiting: ((session: Session) => void)[] = [];
  /** Whether `peerUp` was said and not yet `peerDown`. */
  announced = false;
  /** The open connections by which it has introduced itself in plain Velo's manner, without taking answers there. */
  readonly introduced: Set<Session> = new Set();
  // A peer that dialled two addresses of ours keeps one of the connections, and only it knows which.
  readonly #older: Session[] = [];

  /** @param instanceId Its id. */
  constructor(instanceId: InstanceId) {
    this.instanceId = instanceId;
    this.idBytes = instanceIdToBytes(instanceId);
    this.workerId = workerIdOf(instanceId);
    this.worker0 = Number(this.workerId & 0xffffffffn);
    this.worker1 = Number(this.workerId >> 32n);
  }

  /** Takes over a connection that the peer dialled. One before it stays for when this one is lost. */
  accept(session: Session): void {
    if (this.accepted === session) return;
    this.drop(session);
    if (this.accepted !== null) this.#older.push(this.accepted);
    this.accepted = session;
  }

  /** Lets go of a connection that was lost. */
  drop(session: Session): void {
    if (this.dialled === session) this.dialled = null;
    if (this.replies === session) this.replies = null;
    this.introduced.delete(session);
    const older = this.#older.indexOf(session);
    if (older >= 0) this.#older.splice(older, 1);
    if (this.accepted === session) this.accepted = this.#older.pop() ?? null;
  }

  /** Every connection to it. */
  sessions(): Session[] {
    const all = [this.dialled, this.accepted, ...this.#older, this.replies];
    return all.filter((session) => session !== null);
  }

  /** Whether there is a connection to it, or from it. */
  get connected(): boolean {
    return this.dialled !== null || this.accepted !== null || this.replies !== null ||
      this.introduced.size > 0;
  }

  /** The connection for calls: the one dialled, else the one accepted. */
  get session(): Session | null {
    const dialled = this.dialled;
    if (dialled !== null && dialled.usable) return dialled;
    const accepted = this.accepted;
    return accepted !== null && accepted.usable ? accepted : null;
  }

  /**
   * Takes over what the other end of a connection says of itself.
   *
   * @returns Whether this is a run that was there before another one: then two processes have the id at once.
   */
  meet(session: Session): boolean {
    this.met = true;
    this.dialect = session.dialect;
    this.name = session.name ?? this.name;
    const { run } = session;
    if (run === null || run === this.run) return false;
    const back = this.#formerRuns.includes(run);
    if (this.run !== null && this.#formerRuns.push(this.run) > keptRuns) this.#formerRuns.shift();
    this.run = run;
    return back;
  }

  /** Every endpoint at which it may be found. */
  dialable(): readonly string[] {
    const { endpoints, given } = this;
    return given === null || endpoints.includes(given) ? endpoints : [...endpoints, given];
  }

  /** What users see. */
  view(): PeerView {
    return {
      instanceId: this.instanceId,
      workerId: this.workerId,
      up: this.session !== null,
      zeromesh: this.dialect.ours,
      endpoints: this.endpoints,
      name: this.name,
    };
  }
}
