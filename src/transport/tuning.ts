import type { Socket } from "../libzmq/mod.ts";

/** What the options of libzmq's sockets depend on. */
export interface Tuning {
  /** The largest payload, in bytes. */
  readonly maxPayloadBytes: number;
  /** libzmq's queue for one peer, in messages, each way. */
  readonly highWaterMark: number;
}

/** A frame with so much beyond `maxPayloadBytes` is taken: libzmq cuts the connection above, and a batch needs room. */
export const frameSlackBytes = 128 * 1024;

// The dialler pings, and the other end learns from the TTL when to give up. Not both: who pings must never stop reading
// (see below), and a listener has to, when somebody floods it.
const heartbeatMs = 1_000;
const heartbeatPatience = 3;
// libzmq 4.3 aborts the process ("Assertion failed: !_io_error") if it wants to ping on a connection that broke while
// its reading side was full. So a dialler takes more unread than answers can come to the calls that wait for them.
const dialledReceiveMark = 2 ** 18;

/** Sets the options of a ROUTER that listens. */
export function tuneListener(socket: Socket, tuning: Tuning): void {
  tuneBoth(socket, tuning);
  socket.set("ROUTER_MANDATORY", 1).set("BACKLOG", 4_096);
}

/**
 * Sets the options of a DEALER.
 *
 * @param id Its routing id.
 * @param dialled How many connections this instance has dialled.
 */
export function tuneDialler(socket: Socket, tuning: Tuning, id: Uint8Array, dialled: number): void {
  // libzmq's timers are searched one by one: an instance that dials thousands pings more slowly.
  const pingMs = Math.max(heartbeatMs, dialled);
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
