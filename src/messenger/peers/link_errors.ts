import { errorText, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { Link, LinkLoss } from "../../transport/mod.ts";
import type { PendingCall } from "../calls/pending.ts";
import { unanswerable } from "../velo/introductions.ts";
import { type Peer, peerText, type Session } from "./peer.ts";

/** The error of a call whose connection ended. `leaving`: after the peer's goodbye. */
export function lostCall(call: PendingCall, loss: LinkLoss, leaving: boolean, now: number): ZeromeshError {
  if (call.handler === "_hello") {
    const endpoint = call.session?.link.endpoint ?? "the peer";
    return new ZeromeshError(loss.code, `Cannot connect to ${endpoint}: ${loss.reason}`, { peer: call.peer });
  }
  // Before its goodbye a zeromesh peer answers all begun calls over the same connection, except those whose time was
  // over there.
  const inTime = call.allottedMs === Infinity || call.dueAt - now > call.allottedMs / 2;
  const answered = leaving && inTime && call.session?.sameConnection === true &&
    !call.system;
  const what = call.peer === undefined ? "The peer" : `Peer ${call.peerText}`;
  return new ZeromeshError(
    loss.code,
    `${what} was lost while "${call.handler}" was under way: ${loss.reason}`,
    { peer: call.peer, handler: call.handler, ran: call.handed && !answered ? "maybe" : "no" },
  );
}

/** The option that limits a time; null when the caller set it. */
export type Limit = "connectTimeoutMs" | "redialForMs" | null;

/** The error of a timeout. */
export function unreachable(where: string, timeoutMs: number, limit: Limit, cause: unknown): ZeromeshError {
  const why = cause instanceof ZeromeshError ? `: ${cause.message}` : "";
  const time = `${Math.round(timeoutMs)} ms${limit === null ? "" : ` (${limit})`}`;
  const advice = "check that it runs, and at this address";
  return new ZeromeshError("PEER_UNREACHABLE", `Cannot reach ${where} within ${time}${why}; ${advice}`, {
    cause,
    peer: where,
  });
}

/** The error of a resolver without an answer. */
export function unresolved(endpoint: string): ZeromeshError {
  return new ZeromeshError("PEER_UNREACHABLE", `The host name of ${endpoint} was not resolved in time`);
}

/**
 * The error of repeated broken ZMTP handshakes. A Unix socket that ends them belongs to another user, or needs keys.
 */
export function brokenOff(endpoints: readonly string[], attempts: number, cause: unknown): ZeromeshError {
  const where = endpoints.join(" or ");
  const refused = endpoints.every((endpoint) => endpoint.startsWith("ipc://"));
  const why = `Cannot reach ${where}: none of ${attempts} handshakes was finished; ${errorText(cause)}`;
  return new ZeromeshError(refused ? "FORBIDDEN" : "PEER_UNREACHABLE", why, { cause, peer: where });
}

/** The error of a listener whose greeting requires keys. */
export function keysWanted(endpoint: string, cause: unknown): ZeromeshError {
  const why = `Cannot connect to ${endpoint}: it wants CURVE keys, and this instance has none (curve)`;
  return new ZeromeshError("FORBIDDEN", why, { cause, peer: endpoint });
}

/** The error of a peer that answers only over a connection it dials, when this instance does not listen. */
export function cannotAnswer(endpoint: string, peer: InstanceId): ZeromeshError {
  return new ZeromeshError(
    "PEER_LACKS_FEATURE",
    `${endpoint} can only answer instances that listen (it lacks same-connection); do not use listen: false`,
    { peer },
  );
}

/** The error of two instances with one id, whose messages could not be told apart. */
export function sameId(other: string, id: InstanceId): ZeromeshError {
  return new ZeromeshError(
    "IDENTITY_MISMATCH",
    `Two instances have the id ${id}, the one that dials and ${other}; give each an id of its own`,
    { peer: id },
  );
}

/** The error of a close during dialling. */
export function closedWhileDialling(where: string): ZeromeshError {
  return new ZeromeshError("CLOSED", `Stopped dialling ${where}: this instance is closed`);
}

/**
 * The key to dial with: null exactly without CURVE.
 *
 * @param secure Whether this instance has keys.
 * @param who The peer's text for messages.
 */
export function requireKey(
  peer: string,
  key: string | null,
  secure: boolean,
  who: string = peer,
): string | null {
  if (secure === (key !== null)) return key;
  const why = secure
    ? "this instance uses CURVE and knows no key of it; give serverKey to connect, or register the peer info of an " +
      "instance that uses CURVE"
    : "it uses CURVE, and this instance has no keys (curve)";
  throw new ZeromeshError("FORBIDDEN", `Cannot dial ${who}: ${why}`, { peer });
}

/** The error of a full response table. */
export function tableFull(): ZeromeshError {
  return new ZeromeshError(
    "QUEUE_FULL",
    "Cannot wait for another answer: the limit of calls and ACKs that wait is reached (maxPendingCalls)",
  );
}

/** The meaning of a failed `_hello`. */
export function helloFailure(
  link: Link<Session>,
  error: unknown,
  timeoutMs: number,
  listening: boolean,
): unknown {
  if (!(error instanceof ZeromeshError)) return error;
  if (error.code === "TIMEOUT") {
    return new ZeromeshError(
      "PEER_UNREACHABLE",
      link.established
        ? `${link.endpoint} is connected but did not answer _hello within ${Math.round(timeoutMs)} ms`
        : `${link.endpoint} did not finish the ZMTP handshake within ${Math.round(timeoutMs)} ms`,
      { cause: error },
    );
  }
  return (listening ? null : unanswerable(link, error)) ?? error;
}

/** The error of a peer without a connection that cannot be dialled. */
export function undialable(who: Pick<Peer, "instanceId" | "name">): ZeromeshError {
  return new ZeromeshError(
    "PEER_DISCONNECTED",
    `Peer ${peerText(who)} is not connected and has no address to dial; it has to connect again`,
    { peer: who.instanceId },
  );
}

/** The error of a lost peer that is not redialled any more, for callers that do not dial. */
export function givenUp(who: Pick<Peer, "instanceId" | "name">): ZeromeshError {
  return new ZeromeshError(
    "PEER_DISCONNECTED",
    `Peer ${
      peerText(who)
    } was lost and is not dialled any more; a call to it dials it again, disconnect() forgets it`,
    { peer: who.instanceId },
  );
}
