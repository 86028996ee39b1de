import type { StreamWindow } from "../byte_stream.ts";
import { type AttachTerms, muxTransport, termsIn } from "../wire/control.ts";

/**
 * The terms of a stream that its reader has prepared, made by `anchor.ticket()`. Whoever has the handle and the ticket can
 * send at once, without asking the reader before.
 *
 * It is plain data, for JSON, and Velo's `StreamOpenTicket`. Its fields have Velo's names.
 */
export interface StreamTicket {
  /** The transport: `messenger-mux-v2`. */
  readonly streaming_transport_key: string;
  /** Pause after which an idle sender shows that it lives, in milliseconds. */
  readonly heartbeat_interval_ms: number;
  /** The session that the sender opens. A number that nobody can guess, because it is the permission to send. */
  readonly routing_session_id: number | bigint;
  /** Items that the sender may send before the reader returns credit. */
  readonly initial_credit: number;
  /** The same in bytes. */
  readonly slot_byte_budget: number;
  /** Velo's lane, which ZeroMQ has not. */
  readonly lane?: number | undefined;
}

/** A ticket that nobody has used. */
export interface Reservation {
  /** What its sender gets. */
  readonly ticket: StreamTicket;
  /** Its session. */
  readonly session: bigint;
  /** Makes it void. */
  release(): void;
}

/** A session of 53 random bits, which JSON can carry, and far above the sessions that are counted. */
export function ticketSession(): bigint {
  const [low, high] = crypto.getRandomValues(new Uint32Array(2)) as unknown as [number, number];
  return (BigInt((high & 0x1f_ffff) | 0x10_0000) << 32n) | BigInt(low);
}

/** The ticket of a session. */
export function ticketOf(session: bigint, heartbeatMs: number, { items, bytes }: StreamWindow): StreamTicket {
  return {
    streaming_transport_key: muxTransport,
    heartbeat_interval_ms: heartbeatMs,
    routing_session_id: Number(session),
    initial_credit: items,
    slot_byte_budget: bytes,
  };
}

/** The terms of a ticket. @throws {TypeError} If it is none. */
export function termsOf(ticket: StreamTicket, cannot: string): AttachTerms {
  const terms = termsIn(ticket);
  if (terms !== null && terms.session > 0n && terms.items > 0) return { ...terms, senderId: null };
  throw new TypeError(`${cannot}: ticket must be what anchor.ticket() of the reader has returned`);
}
