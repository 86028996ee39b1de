import { Backoff, hold, type InstanceId, pause, ZeromeshError } from "../../core/mod.ts";
import { type Link, type LinkLoss, SendOutcome } from "../../transport/mod.ts";
import {
  decodeHelloReply,
  encodeHello,
  encodeRequest,
  type HelloReply,
  MessageType,
  type PeerInfo,
  ResponseKind,
} from "../../wire/mod.ts";
import { IdTaken } from "./identity.ts";
import {
  brokenOff,
  closedWhileDialling,
  helloFailure,
  keysWanted,
  type Limit,
  tableFull,
  unreachable,
  unresolved,
} from "./link_errors.ts";
import { answersFor, idOfSocket } from "../velo/introductions.ts";
import { heartbeatBoundMs } from "./peer_finder.ts";
import { type Peer, Session } from "./peer.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The instance that must answer. */
export interface Expected {
  /** Its id. */
  readonly id: InstanceId;
  /** Its text for messages. */
  readonly who: string;
  /** Whether it was configured by hand and never met: another instance is then no successor. */
  readonly unmet: boolean;
}

/** Target of dialling. */
export interface DialTarget {
  /** Addresses, tried in turn. */
  readonly endpoints: readonly string[];
  /** The instance that must answer; null for an arbitrary one. */
  readonly expected: Expected | null;
  /** The CURVE key that the other end must own; null without CURVE. */
  readonly serverKey: string | null;
  /** Whether a zeromesh instance was met there: then it is dialled until the timeout, whatever answers. */
  readonly met: boolean;
  /** The option that limits the time. */
  readonly limit: Limit;
  /** Called for each attempt. */
  attempting?(link: Link<Session>): void;
}

/** The parts of a {@link Dialler}. */
export interface DiallerParts extends SharedParts {
  /** Address and id of this instance. */
  peerInfo(): PeerInfo;
  /** Whether the process behind a peer's connection still lives. */
  lives(peer: Peer, session: Session): Promise<boolean>;
  /** Takes a connection whose `_hello` was answered; it may replace it by another one. */
  establish(session: Session, reply: HelloReply, id: InstanceId): Session;
}

/** State of one dialling: its target, its deadline, and its findings. */
interface Search {
  readonly target: DialTarget;
  readonly where: string;
  readonly timeoutMs: number;
  readonly giveUpAt: number;
  readonly signal: AbortSignal | undefined;
  /** Error of the last meaningful attempt. */
  last: unknown;
  /** Error of an address at which another instance answers. */
  stranger: ZeromeshError | undefined;
  /** Addresses whose listener was asked for its mechanism. */
  readonly asked: Set<string>;
  /** Consecutive attempts that ended during the ZMTP handshake. */
  broken: number;
}

const helloName = new TextEncoder().encode("_hello");
// Errors after which another attempt at the same address is pointless.
const finalCodes: ReadonlySet<string> = new Set([
  "FORBIDDEN",
  "IDENTITY_MISMATCH",
  "PEER_REPLACED",
  "PEER_LACKS_FEATURE",
  "PEER_DRAINING",
  "CLOSED",
  "LIMIT_REACHED",
  "QUEUE_FULL",
]);
// Errors of an address with another instance, which say nothing about the peer's other addresses.
const strangerCodes: ReadonlySet<string> = new Set(["IDENTITY_MISMATCH", "PEER_REPLACED"]);
const silent: LinkLoss = Object.freeze({
  code: "PEER_UNREACHABLE",
  reason: "no process answered there in time",
});
// Waiters for a lost peer give up after the heartbeat bound, so it is dialled often until then.
const eagerPauseMs = 250;
// After this many consecutive broken ZMTP handshakes, the listener is no instance at all.
const maxBrokenHandshakes = 3;
// A listener that has just ended a handshake answers the question for its mechanism at once.
const longestQuestionMs = 1_000;

/** Dials until an instance answers `_hello`, with growing pauses, within a deadline. */
export class Dialler {
  readonly #parts: DiallerParts;

  /** @param parts Its parts. */
  constructor(parts: DiallerParts) {
    this.#parts = parts;
  }

  /**
   * Dials the target's endpoints in turn, each at all its current addresses, until one answers.
   *
   * @param startedAt Start of `timeoutMs`.
   * @throws {ZeromeshError} `PEER_UNREACHABLE` after `timeoutMs`, `PEER_REPLACED`, `FORBIDDEN`, `CLOSED` and others.
   */
  async reach(
    target: DialTarget,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    startedAt: number = this.#parts.clock.now(),
  ): Promise<Session> {
    const { clock, closing } = this.#parts;
    const { endpoints } = target;
    const search: Search = {
      target,
      where: endpoints.join(" or "),
      timeoutMs,
      giveUpAt: startedAt + timeoutMs,
      signal,
      last: undefined,
      stranger: undefined,
      asked: new Set(),
      broken: 0,
    };
    // A service that starts late is found soon after; longer timeouts allow longer pauses.
    const backoff = new Backoff({ maxMs: Math.min(Math.max(timeoutMs / 20, 100), 5_000) });
    for (;;) {
      let tried = 0;
      for (let at = 0; at < endpoints.length; at++) {
        const endpoint = endpoints[at]!;
        const addresses = await this.#resolve(search, endpoint);
        for (let i = 0; i < addresses.length; i++) {
          const others = endpoints.length - at + addresses.length - i - 2;
          const session = await this.#attempt(search, endpoint, addresses[i]!, others);
          if (session !== null) return session;
          tried++;
        }
      }
      if (search.stranger !== undefined) throw search.stranger;
      if (!target.met && tried > 0 && search.broken >= maxBrokenHandshakes * tried) {
        throw brokenOff(endpoints, search.broken, search.last);
      }
      // Waiters for a lost peer wait no longer than the heartbeat bound.
      const now = clock.now();
      const longest = now < startedAt + heartbeatBoundMs ? eagerPauseMs : Infinity;
      const pauseMs = Math.min(backoff.next(), longest, Math.max(0, search.giveUpAt - now));
      await pause(clock, pauseMs, closing, signal);
    }
  }

  /** The addresses of an endpoint; none while its name has none. */
  async #resolve(search: Search, endpoint: string): Promise<readonly string[]> {
    // A resolver that hangs is limited by the timeout.
    const { clock, closing, transport } = this.#parts;
    const wait = { clock, timeoutMs: this.#left(search), signal: closing, late: () => null };
    try {
      return await hold(transport.resolve(endpoint), wait, search.signal);
    } catch (error) {
      if (error === null) search.last ??= unresolved(endpoint);
      else if (error instanceof ZeromeshError && error.code === "PEER_UNREACHABLE") search.last = error;
      else {
        // The reason of a signal becomes the error of dialling.
        this.#left(search);
        throw error;
      }
      return [];
    }
  }

  /**
   * One attempt at one address; null when dialling goes on.
   *
   * @param others Number of addresses left before a pause.
   */
  async #attempt(search: Search, endpoint: string, address: string, others: number): Promise<Session | null> {
    const { clock, transport } = this.#parts;
    const { target, timeoutMs, signal } = search;
    const left = this.#left(search);
    const link = transport.dial(address, { endpoint, serverKey: target.serverKey });
    target.attempting?.(link);
    // An address without an answer leaves the others their share of the time.
    const giveUp = () => {
      if (!link.established) link.close(0, silent);
    };
    const stop = others > 0 ? clock.after(left / (others + 1), giveUp) : null;
    try {
      return await this.handshake(new Session(link), target.expected, left, signal);
    } catch (failure) {
      link.close(0);
      const error = await this.#explained(search, link, address, failure);
      if (signal?.aborted) throw signal.reason;
      if (!(error instanceof ZeromeshError)) throw error;
      // Another instance, or another user, may have one of several addresses; the others are tried first.
      if (others > 0 && strangerCodes.has(error.code)) search.stranger = error;
      else if (finalCodes.has(error.code) && (others === 0 || error.code !== "FORBIDDEN")) throw error;
      // An attempt that this side's deadline ended says less than an answered one.
      const cutShort = error.cause instanceof ZeromeshError && error.cause.code === "TIMEOUT";
      if (search.last === undefined || !cutShort || left > timeoutMs / 2) search.last = error;
      search.broken = link.brokenHandshake ? search.broken + 1 : 0;
      return null;
    } finally {
      stop?.();
    }
  }

  /**
   * The cause of a failed attempt: a listener that ends handshakes without a reason is asked once whether it needs
   * keys.
   */
  async #explained(search: Search, link: Link<Session>, address: string, failure: unknown): Promise<unknown> {
    const { target: { serverKey }, asked, signal, giveUpAt } = search;
    if (!link.brokenHandshake || serverKey !== null || asked.has(address)) return failure;
    asked.add(address);
    const { closing, clock, transport } = this.#parts;
    const left = Math.min(longestQuestionMs, giveUpAt - clock.now());
    const over = signal === undefined ? closing : AbortSignal.any([closing, signal]);
    // Without a socket to ask with, the known error remains.
    const mechanism = await transport.mechanismAt(address, left, over).catch(() => null);
    return mechanism === "CURVE" ? keysWanted(link.endpoint, failure) : failure;
  }

  /** The remaining time. @throws When it is over, the caller has given up, or this instance is closed. */
  #left(search: Search): number {
    search.signal?.throwIfAborted();
    if (this.#parts.closing.aborted) throw closedWhileDialling(search.where);
    const left = search.giveUpAt - this.#parts.clock.now();
    if (left <= 0) {
      throw search.stranger ?? unreachable(search.where, search.timeoutMs, search.target.limit, search.last);
    }
    return left;
  }

  /** Says `_hello` on a connection and waits for the answer. */
  async handshake(
    session: Session,
    expected: Expected | null,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    const { calls, transport } = this.#parts;
    const link = session.link;
    const call = calls.open(expected?.id, "_hello", timeoutMs, signal, (outcome) => {
      return this.#answered(session, outcome.payload, call.answeredBy, expected);
    });
    call.session = session;
    if (!call.settled && !calls.enlist(call)) call.fail(tableFull());
    if (!call.settled) {
      const negotiation = { ...this.#parts.negotiation, pingMs: link.pingMs };
      const payload = encodeHello({ peerInfo: this.#parts.peerInfo(), negotiation });
      const { headerBytes, headerView } = transport;
      const length = encodeRequest(headerBytes, headerView, 0, ResponseKind.unary, call, helloName, null);
      if (link.sendFirst(MessageType.message, length, payload) !== SendOutcome.sent) {
        call.fail(new ZeromeshError("PEER_UNREACHABLE", `Cannot send to ${link.endpoint}`));
      }
    }
    try {
      return await call.promise as Session;
    } catch (error) {
      if (error instanceof IdTaken && !await this.#parts.lives(error.rival.peer!, error.rival)) {
        return await this.handshake(session, expected, timeoutMs, signal);
      }
      throw helloFailure(link, error, timeoutMs, transport.endpoints.length > 0);
    }
  }

  #answered(
    session: Session,
    payload: Uint8Array,
    answeredBy: Session | null,
    expected: Expected | null,
  ): Session {
    const { endpoint } = session.link;
    const reply = decodeHelloReply(payload);
    if (reply === null) {
      throw new ZeromeshError("PEER_UNREACHABLE", `The answer of ${endpoint} to _hello cannot be read`);
    }
    const id = reply.negotiation?.instanceId ?? idOfSocket(answeredBy) ?? expected?.id ?? null;
    if (id === null) {
      throw new ZeromeshError(
        "PEER_LACKS_FEATURE",
        `${endpoint} answers, but does not say which instance it is; use registerPeer with its peer info`,
      );
    }
    if (expected !== null && id !== expected.id) throw otherId(endpoint, expected, id);
    const established = this.#parts.establish(session, reply, id);
    // From now on other connections cannot bring this peer's answers.
    if (answeredBy !== null && answeredBy !== session && established.peer !== null) {
      answersFor(answeredBy, established.peer);
    }
    return established;
  }
}

/** The error of another instance's answer. */
function otherId(endpoint: string, expected: Expected, id: InstanceId): ZeromeshError {
  const peer = expected.id;
  const details = { successor: id };
  return expected.unmet
    ? new ZeromeshError(
      "IDENTITY_MISMATCH",
      `Instance ${id} answers at ${endpoint}, which was registered as the address of ${expected.who}`,
      { peer, details },
    )
    : new ZeromeshError(
      "PEER_REPLACED",
      `Another instance (${id}) answers at ${endpoint}, the former address of ${expected.who}`,
      { peer, details },
    );
}

/** A peer's addresses, local ones first, since an absent local one fails at once. */
export function dialOrder(endpoints: readonly string[]): readonly string[] {
  const local = endpoints.filter((endpoint) => endpoint.startsWith("ipc://"));
  if (local.length === 0 || local.length === endpoints.length) return endpoints;
  return [...local, ...endpoints.filter((endpoint) => !endpoint.startsWith("ipc://"))];
}
