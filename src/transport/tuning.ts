import type { Socket } from "../libzmq/mod.ts";
import { presetPingMs } from "../wire/mod.ts";

/** Inputs of the socket options. */
export interface Tuning {
  /** The largest payload, in bytes. */
  readonly maxPayloadBytes: number;
  /** libzmq's queue for one peer, in messages, each way. */
  readonly highWaterMark: number;
}

/** libzmq cuts a connection at a frame this much above `maxPayloadBytes`: batches and large payloads need room. */
export const frameSlackBytes = 128 * 1024;

// The dialler pings, and the listener learns its timeout from the TTL. They do not both ping: an instance that pings
// must never stop reading (see below), and a listener must, when a peer floods it.
const heartbeatPatience = 3;
// libzmq 4.3 aborts the process ("Assertion failed: !_io_error") if it pings on a connection that broke while its
// reading side was full. So a dialler's mark exceeds the number of answers that can come.
const dialledReceiveMark = 2 ** 18;

/** Sets the options of a listening ROUTER. */
export function tuneListener(socket: Socket, tuning: Tuning): void {
  tuneBoth(socket, tuning);
  socket.set("ROUTER_MANDATORY", 1).set("BACKLOG", 4_096);
}

/** The time between two heartbeats of a DEALER. @param dialled Connections that this instance has dialled. */
export function pingMsOf(dialled: number): number {
  // libzmq searches its timers one by one: an instance that dials thousands pings more slowly.
  return Math.max(presetPingMs, dialled);
}

/**
 * Sets the options of a DEALER.
 *
 * @param id Its routing id.
 * @param pingMs The time between two heartbeats.
 */
export function tuneDialler(socket: Socket, tuning: Tuning, id: Uint8Array, pingMs: number): void {
  tuneBoth(socket, tuning);
  socket.set("ROUTING_ID", id)
    .set("IMMEDIATE", 0)
    .set("RECONNECT_IVL", 86_400_000)
    .set("CONNECT_TIMEOUT", 3_000)
    .set("HEARTBEAT_IVL", pingMs)
    .set("HEARTBEAT_TIMEOUT", pingMs * heartbeatPatience)
    .set("HEARTBEAT_TTL", pingMs * heartbeatPatience)
    .set("RCVHWM", Math.max(dialledReceiveMark, tuning.highWaterMark))
    .set("IPV6", 1);
}

function tuneBoth(socket: Socket, { maxPayloadBytes, highWaterMark }: Tuning): void {
  socket.set("LINGER", 0)
    .set("HANDSHAKE_IVL", 3_000)
    .set("SNDHWM", highWaterMark)
    .set("RCVHWM", highWaterMark)
    .set("MAXMSGSIZE", maxPayloadBytes + frameSlackBytes)
    .set("TCP_KEEPALIVE", 1)
    .set("TCP_KEEPALIVE_IDLE", 3)
    .set("TCP_KEEPALIVE_INTVL", 1)
    .set("TCP_KEEPALIVE_CNT", 3);
}
