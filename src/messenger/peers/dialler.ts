import { Backoff, type Clock, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import { type Link, SendOutcome, type Transport } from "../../transport/mod.ts";
import {
  decodeHelloReply,
  encodeHello,
  encodeRequest,
  type HelloReply,
  MessageType,
  type Negotiation,
  type PeerInfo,
  ResponseKind,
} from "../../wire/mod.ts";
import { answersFor } from "./identity.ts";
import { closedWhileDialling, helloFailure, plainId, tableFull, unreachable } from "./link_errors.ts";
import { heartbeatBoundMs } from "./peer_finder.ts";
import type { CallTable } from "../calls/pending.ts";
import { Session } from "./session.ts";

/** Where to dial, and who is expected there. */
export interface DialTarget {
  /** Addresses, tried in turn. */
  readonly endpoints: readonly string[];
  /** Who must answer; null for whoever does. */
  readonly expected: InstanceId | null;
  /** The CURVE key that the other end must own; null without CURVE. */
  readonly serverKey: string | null;
  /** Whether somebody of ours was met there before: then it is dialled until the time is up, whatever is found. */
  readonly met: boolean;
  /** Told of each attempt. */
  attempting?(link: Link<Session>): void;
}

/** What a dialler needs of the messenger. */
export interface DiallerParts {
  /** The network. */
  readonly transport: Transport<Session>;
  /** Where the `_hello` waits for its answer. */
  readonly calls: CallTable;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Aborts when the instance closes. */
  readonly closing: AbortSignal;
  /** What this instance says about itself. */
  readonly negotiation: Negotiation;
  /** Address and id of this instance. */
  peerInfo(): PeerInfo;
  /** Takes over a connection whose `_hello` was answered; it may give it up for another one. */
  establish(session: Session, reply: HelloReply, id: InstanceId): Session;
}

const helloName = new TextEncoder().encode("_hello");
// These say that trying again at the same address is no use.
const finalCodes: ReadonlySet<string> = new Set([
  "FORBIDDEN",
  "IDENTITY_MISMATCH",
  "PEER_REPLACED",
  "PEER_LACKS_FEATURE",
  "PEER_DRAINING",
  "CLOSED",
  "QUEUE_FULL",
]);
// What waits for a lost peer gives it up after the heartbeat bound, so it is dialled often until then.
const eagerPauseMs = 250;
// An address whose owner breaks off the ZMTP handshake this often in a row is no peer of ours.
const maxBrokenHandshakes = 3;

/** Dials until somebody answers `_hello`, with growing pauses, within a deadline. */
export class Dialler {
  readonly #parts: DiallerParts;

  /** @param parts What it works with. */
  constructor(parts: DiallerParts) {
    this.#parts = parts;
  }

  /**
   * Dials the target's addresses in turn until one is up.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` after `timeoutMs`, `PEER_REPLACED`, `FORBIDDEN`, `CLOSED` and others.
   */
  async reach(target: DialTarget, timeoutMs: number, signal: AbortSignal | undefined): Promise<Session> {
    const { clock, transport, closing } = this.#parts;
    const { endpoints, expected, serverKey } = target;
    const startedAt = clock.now();
    const giveUpAt = startedAt + timeoutMs;
    // A service that starts late is found soon after; who dials for a minute may pause longer.
    const backoff = new Backoff({ maxMs: Math.min(Math.max(timeoutMs / 20, 100), 5_000) });
    const where = endpoints.join(" or ");
    let last: unknown = undefined;
    let broken = 0;
    for (let attempt = 0;; attempt++) {
      signal?.throwIfAborted();
      if (closing.aborted) throw closedWhileDialling(where);
      const left = giveUpAt - clock.now();
      if (left <= 0) throw unreachable(where, timeoutMs, last);
      const link = await transport.dial(endpoints[attempt % endpoints.length]!, { serverKey });
      target.attempting?.(link);
      try {
        return await this.handshake(new Session(link), expected, left, signal);
      } catch (error) {
        link.close(0);
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof ZeromeshError)) throw error;
        // A stranger, or another user, may hold one of several addresses; then the others are tried first.
        const others = error.code === "FORBIDDEN" && (attempt + 1) % endpoints.length !== 0;
        if (finalCodes.has(error.code) && !others) throw error;
        // An attempt that our own deadline cut short says less than one that was answered.
        const cutShort = error.cause instanceof ZeromeshError && error.cause.code === "TIMEOUT";
        if (last === undefined || !cutShort || left > timeoutMs / 2) last = error;
        broken = link.brokenHandshake ? broken + 1 : 0;
        if (!target.met && broken >= maxBrokenHandshakes * endpoints.length) {
          throw unreachable(where, timeoutMs, last);
        }
      }
      // The next address is tried at once; a pause comes when all were tried.
      if ((attempt + 1) % endpoints.length !== 0) continue;
      // Whoever waits for a lost peer's event waits no longer than the heartbeat bound.
      const now = clock.now();
      const longest = now < startedAt + heartbeatBoundMs ? eagerPauseMs : Infinity;
      await this.#pause(Math.min(backoff.next(), longest, Math.max(0, giveUpAt - now)), signal);
    }
  }

  /** Says `_hello` on a connection and waits for the answer. */
  async handshake(
    session: Session,
    expected: InstanceId | null,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Session> {
    const { calls, transport } = this.#parts;
    const link = session.link;
    const call = calls.open(expected ?? undefined, "_hello", timeoutMs, signal, (outcome) => {
      return this.#answered(session, outcome.payload, call.answeredBy, expected);
    });
    call.session = session;
    if (!call.settled && !calls.enlist(call)) call.fail(tableFull());
    if (!call.settled) {
      const payload = encodeHello({ peerInfo: this.#parts.peerInfo(), zeromesh: this.#parts.negotiation });
      const { headerBytes, headerView } = transport;
      const length = encodeRequest(headerBytes, headerView, 0, ResponseKind.unary, call, helloName, null);
      if (link.sendFirst(MessageType.message, length, payload) !== SendOutcome.sent) {
        call.fail(new ZeromeshError("PEER_UNREACHABLE", `Cannot send to ${link.endpoint}`));
      }
    }
    try {
      return await call.promise as Session;
    } catch (error) {
      throw helloFailure(link, error, timeoutMs, transport.endpoints.length > 0);
    }
  }

  #answered(
    session: Session,
    payload: Uint8Array,
    answeredBy: Session | null,
    expected: InstanceId | null,
  ): Session {
    const { endpoint } = session.link;
    const reply = decodeHelloReply(payload);
    if (reply === null) {
      throw new ZeromeshError("PEER_UNREACHABLE", `${endpoint} answers _hello with something else`);
    }
    const id = reply.zeromesh?.instanceId ?? plainId(answeredBy) ?? expected;
    if (id === null) {
      throw new ZeromeshError(
        "PEER_LACKS_FEATURE",
        `${endpoint} answers, but does not say which instance it is; use registerPeer with its peer info`,
      );
    }
    if (expected !== null && id !== expected) {
      throw new ZeromeshError(
        "PEER_REPLACED",
        `Another instance (${id}) answers at ${endpoint}, where ${expected} used to be`,
        { peer: expected, details: { successor: id } },
      );
    }
    const established = this.#parts.establish(session, reply, id);
    // From now on nobody else's connection brings this peer's answers.
    if (answeredBy !== null && answeredBy !== session && established.peer !== null) {
      answersFor(answeredBy, established.peer);
    }
    return established;
  }

  #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const { clock, closing } = this.#parts;
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        closing.removeEventListener("abort", done);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const cancel = clock.after(ms, done);
      closing.addEventListener("abort", done);
      signal?.addEventListener("abort", done);
    });
  }
}

/** The addresses of a peer, those of this host first: one that is not here fails at once. */
export function dialOrder(endpoints: readonly string[]): readonly string[] {
  const local = endpoints.filter((endpoint) => endpoint.startsWith("ipc://"));
  if (local.length === 0 || local.length === endpoints.length) return endpoints;
  return [...local, ...endpoints.filter((endpoint) => !endpoint.startsWith("ipc://"))];
}
