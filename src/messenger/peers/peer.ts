import {
  type Clock,
  type Credit,
  type InstanceId,
  instanceIdToBytes,
  type WorkerId,
  workerIdOf,
} from "../../core/mod.ts";
import type { Link } from "../../transport/mod.ts";
import {
  type Feature,
  type Negotiation,
  type PeerNegotiation,
  presetPeerBytes,
  type ResponseId,
} from "../../wire/mod.ts";
import { baseDialect, type Dialect, ownDialect } from "../velo/dialect.ts";
import { ReceivedCredit } from "../credit/received_credit.ts";
import { type CreditCounts, SendCredit } from "../credit/send_credit.ts";

/** This instance's part of every handshake. */
export interface Terms extends Negotiation {
  /** Counters of credit. */
  readonly creditCounts: CreditCounts;
}

/** A running or waiting message of the other end. */
export interface RunningCall extends ResponseId {
  /** The handler's name. */
  readonly handlerName: string;
  /** Ends it before its handler has finished. */
  abort(reason: unknown): void;
}

let lastSerial = 0;

/** The negotiated state of one connection. */
export class Session {
  /** The connection. */
  readonly link: Link<Session>;
  /** Unique number. */
  readonly serial = ++lastSerial;
  /** The peer at the other end; null until the handshake. */
  peer: Peer | null = null;
  /** The dialect of the other end. */
  dialect: Dialect = baseDialect;
  /** Feature `errors`. */
  errors = false;
  /** Feature `same-connection`. */
  sameConnection = false;
  /** Whether the answer to the peer's `_hello` uses this connection in any case, since no other may exist. */
  helloHere = false;
  /** Feature `deadline`. */
  deadline = false;
  /** Feature `cancel`. */
  cancel = false;
  /** Feature `msgpack`. */
  msgpack = false;
  /** Feature `batch`. */
  batch = false;
  /** Feature `kind`. */
  kind = false;
  /** Messages for system handlers tell that they used credit. */
  admission = false;
  /** Feature `metadata`. */
  metadata = false;
  /** The run of the other end's instance; null if it names none. */
  run: string | null = null;
  /** The other end's name; null without one. */
  name: string | null = null;
  /** The largest payload to send; a larger one would cost the connection. */
  maxPayloadBytes = Infinity;
  /** The bytes that this instance may occupy at the other end. */
  maxPeerBytes = presetPeerBytes;
  /** The plain peer whose answers came over it last, as a cache. */
  answersFor: Peer | null = null;
  /** Whether the other end shuts down. */
  leaving = false;
  /** Running and waiting messages of the other end, by {@link runningKey}. */
  readonly running: Map<number, RunningCall> = new Map();

  /** Credit for messages without an answer to the other end; null without feature `credit`. */
  credit: SendCredit | null = null;
  /** Finished messages without an answer of the other end; null without feature `credit`. */
  received: ReceivedCredit | null = null;
  /** Messages finished before the negotiation ended, which the other end may count. */
  readonly early = { count: 0, bytes: 0 };

  /** Sends that wait for room or credit, with the bytes of their payloads. */
  readonly waiting = { count: 0, bytes: 0 };

  /** Held messages of the other end. */
  readonly held = { messages: 0, bytes: 0 };

  /** Bytes of the other end that features keep. */
  kept = 0;

  readonly #agreed = new Set<string>();

  /** The connection for answers to the other end, if it is another one. */
  replyLink: Link<Session> | null = null;

  /** @param link The connection, which then refers to this session. */
  constructor(link: Link<Session>) {
    this.link = link;
    link.session = this;
  }

  /** Whether both ends have a feature. Features needed per message have fields. */
  supports(feature: string): boolean {
    return this.#agreed.has(feature);
  }

  /** The other end's text for messages; loopback without a peer. */
  get who(): string {
    return this.peer === null ? "this instance" : peerText(this.peer);
  }

  /** Whether new calls may be sent over it. */
  get usable(): boolean {
    return this.link.state === "open" && !this.leaving;
  }

  /** Bytes of answers that the other end has not read, with other bytes that libzmq holds for it. */
  get unread(): number {
    return (this.replyLink ?? this.link).outbound?.held ?? 0;
  }

  /** Sends queued answers as far as the other end has read, without waiting for the next look. */
  relieve(): void {
    const { outbound } = this.replyLink ?? this.link;
    if (outbound === null) return;
    outbound.look();
    outbound.refused = false;
    (this.replyLink ?? this.link).retry();
  }

  /** Counts a finished message without an answer. Returns whether a grant is due. */
  finish(bytes: number, message: object | null, clock: Clock): boolean {
    const { received, early } = this;
    if (received !== null) return received.ended(bytes, message, clock);
    early.count++;
    early.bytes += bytes;
    return false;
  }

  /**
   * Applies the features of both sides. A later `_hello` adds features and removes none, since messages under way rely
   * on them.
   */
  negotiate(ours: Terms, theirs: PeerNegotiation | null): void {
    if (theirs === null) return;
    this.dialect = ownDialect;
    this.run ??= theirs.run;
    this.name ??= theirs.name;
    if (this.maxPayloadBytes === Infinity) this.maxPayloadBytes = theirs.maxPayloadBytes;
    this.maxPeerBytes = theirs.maxPeerBytes;
    this.link.peerPingMs = theirs.pingMs;
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

  /** Starts credit with both sides' windows, once: a second `_hello` on the connection changes nothing. */
  startCredit(ours: Terms, theirs: Credit | null): void {
    if (this.credit !== null || ours.credit === undefined || theirs === null) return;
    this.received = new ReceivedCredit(ours.credit);
    this.received.ledger.add(this.early);
    const credit = this.credit = new SendCredit(theirs, ours.creditCounts);
    this.link.beforeExit = () => credit.release();
  }
}

/**
 * The key of a call among the running ones of its session. It is unique for 2^21 generations of a slot only, so a
 * lookup also compares the id.
 */
export function runningKey(id: ResponseId): number {
  return id.id3 * 2 ** 32 + id.id2;
}

/** An entry of `messenger.peers()`. */
export interface PeerView {
  /** Its id. */
  readonly instanceId: InstanceId;
  /** Its worker id. */
  readonly workerId: WorkerId;
  /** Whether it has a connection with an answered handshake. */
  readonly up: boolean;
  /** Whether it is a zeromesh instance, not plain Velo. */
  readonly zeromesh: boolean;
  /** Its endpoints, preferred first. */
  readonly endpoints: readonly string[];
  /** Its option `name`; null without one. */
  readonly name: string | null;
}

// Each restart makes a run; only the last few are compared.
const keptRuns = 4;

/** A peer's text for messages. */
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
  /** Its endpoints. */
  endpoints: readonly string[] = [];
  /** Its name; null without one. */
  name: string | null = null;
  /** Its CURVE public key, Z85; null if unknown. */
  publicKey: string | null = null;
  /** Whether the user registered its key. */
  keyRegistered = false;
  /** When it was last connected or registered, on the clock in milliseconds. */
  lastSeen = 0;
  /** The run met last; null if it names none. */
  run: string | null = null;
  /** Earlier runs, newest last. */
  readonly #formerRuns: string[] = [];
  /** The connection dialled by this side, after the handshake. */
  dialled: Session | null = null;
  /** The connection dialled by the peer, after the handshake. */
  accepted: Session | null = null;
  /** The current attempt to connect. */
  connecting: Promise<Session> | null = null;
  /** The address dialled last in that attempt, with its time. */
  attempted: { readonly link: Link<Session>; readonly at: number } | null = null;
  /** The connection dialled for replies, which needs no handshake. */
  replies: Session | null = null;
  /** The attempt to make {@link replies}. */
  openingReplies: Promise<Session> | null = null;
  /** Whether {@link replies} was used since the last check. */
  repliesUsed = false;
  /** Index of the address of its name used for {@link replies}. */
  replyAddress = 0;
  /** The endpoint that the user dialled; a name may outlive the addresses that the peer announces. */
  given: string | null = null;
  /** Whether it was registered, found or dialled. Other peers are strangers, which dialled this instance. */
  known = false;
  /** Whether discovery found it, and the user did not register it. */
  found = false;
  /** Whether its id and address were configured by hand. */
  fixed = false;
  /** Whether it was ever met. */
  met = false;
  /** Whether it has answered over a connection that bears its id; connections without one are then not accepted. */
  named = false;
  /** The dialect of its last connection with a handshake. */
  dialect: Dialect = baseDialect;
  /** The current check whether the process behind its connection lives. */
  asking: Promise<void> | null = null;
  /** Calls that wait for a connection, in order. */
  waiting: ((session: Session) => void)[] = [];
  /** Whether `peerUp` was reported, and `peerDown` not yet. */
  announced = false;
  /** Open connections over which it has introduced itself without taking answers on them. */
  readonly introduced: Set<Session> = new Set();
  // A peer that dialled two addresses keeps one of the connections, and only it knows which.
  readonly #older: Session[] = [];

  /** @param instanceId Its id. */
  constructor(instanceId: InstanceId) {
    this.instanceId = instanceId;
    this.idBytes = instanceIdToBytes(instanceId);
    this.workerId = workerIdOf(instanceId);
    this.worker0 = Number(this.workerId & 0xffffffffn);
    this.worker1 = Number(this.workerId >> 32n);
  }

  /** Takes a connection that the peer dialled. The previous one is kept in case this one is lost. */
  accept(session: Session): void {
    if (this.accepted === session) return;
    this.drop(session);
    if (this.accepted !== null) this.#older.push(this.accepted);
    this.accepted = session;
  }

  /** Removes a lost connection. */
  drop(session: Session): void {
    if (this.dialled === session) this.dialled = null;
    if (this.replies === session) this.replies = null;
    this.introduced.delete(session);
    const older = this.#older.indexOf(session);
    if (older >= 0) this.#older.splice(older, 1);
    if (this.accepted === session) this.accepted = this.#older.pop() ?? null;
  }

  /** All connections. */
  sessions(): Session[] {
    const all = [this.dialled, this.accepted, ...this.#older, this.replies];
    return all.filter((session) => session !== null);
  }

  /** Whether it has a connection. */
  get connected(): boolean {
    return this.dialled !== null || this.accepted !== null || this.replies !== null ||
      this.introduced.size > 0;
  }

  /** The connection for calls: the dialled one, else the accepted one. */
  get session(): Session | null {
    const dialled = this.dialled;
    if (dialled !== null && dialled.usable) return dialled;
    const accepted = this.accepted;
    return accepted !== null && accepted.usable ? accepted : null;
  }

  /**
   * Takes the facts that the other end of a connection announces.
   *
   * @returns Whether this run was met before another one: two processes then have the id at once.
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

  /** All endpoints at which it may be found. */
  dialable(): readonly string[] {
    const { endpoints, given } = this;
    return given === null || endpoints.includes(given) ? endpoints : [...endpoints, given];
  }

  /** The public form. */
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
