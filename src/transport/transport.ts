import type { ReactorStats } from "../libzmq/mod.ts";
import type { Drop } from "./drops.ts";
import type { InboundMessage } from "./inbound.ts";
import type { Link } from "./link.ts";
import type { LinkLoss } from "./link_shared.ts";

export type { LinkLoss } from "./link_shared.ts";

/** What a transport tells its user. Both methods are called inside the pump and must not throw. */
export interface TransportHandler<Session> {
  /** A message arrived. It is lent for the length of the call. */
  message(link: Link<Session>, message: InboundMessage): void;
  /**
   * A connection ended; everything that had arrived was handed over before. Nothing queued on the link will
   * leave any more.
   */
  gone(link: Link<Session>, loss: LinkLoss): void;
}

/** Counters of a transport, and what it holds now. */
export interface TransportStats {
  /** Connections that this side dialled and that are open or being opened. */
  readonly dialled: number;
  /** Connections that peers dialled and that have sent something. */
  readonly accepted: number;
  /** Connections accepted that never finished the ZMTP handshake or never sent anything. */
  readonly silent: number;
  /** Messages in bounded queues, waiting for room or for a handshake. */
  readonly queuedMessages: number;
  /** Their bytes. */
  readonly queuedBytes: number;
  /** Messages handed to libzmq since the start. */
  readonly sentMessages: number;
  /** Messages received since the start. */
  readonly receivedMessages: number;
  /** Sends that wait, now, for room in the queue of their peer. */
  readonly waitingSends: number;
  /** Messages that have come and wait for their turn, because others of their connection take long. */
  readonly backlogMessages: number;
  /** Memory of those that do not lie in a batch under way. */
  readonly backlogBytes: number;
  /** Times that a peer's high-water mark made a message wait. */
  readonly blocked: number;
  /** Bytes that peers have not taken: what lies in libzmq and in the system's buffers, and answers that wait before it. */
  readonly heldBytes: number;
  /** The pump that reads the sockets; shared by the instances of one JavaScript thread. */
  readonly reactor: ReactorStats;
  /** Drops since the start, by reason. */
  readonly drops: Readonly<Partial<Record<Drop, number>>>;
}

/** How to dial. */
export interface DialOptions {
  /** The CURVE public key that the other end must own, Z85; for instances that use CURVE. */
  serverKey?: string | null | undefined;
  /** The endpoint that the address was found for, as the link tells it. @default {the address} */
  endpoint?: string | undefined;
}

/**
 * Frames between instances: what the messenger needs of a network.
 *
 * A `Session` is whatever the user hangs on a link.
 */
export interface Transport<Session> {
  /** Endpoints that peers can dial, first the one to prefer. Empty when nothing is bound. */
  readonly endpoints: readonly string[];
  /** Where headers are encoded before {@link Link.send}; at least 84 KiB. */
  readonly headerBytes: Uint8Array;
  /** A view of {@link headerBytes}. */
  readonly headerView: DataView;
  /**
   * The addresses of an endpoint, as they are now: a host name may have several, and other ones tomorrow.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID`; `PEER_UNREACHABLE` or `FORBIDDEN` when a name cannot be resolved.
   */
  resolve(endpoint: string): Promise<readonly string[]>;
  /**
   * Starts a connection to an address that {@link resolve} gave. Failure is reported through
   * {@link TransportHandler.gone}.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID`, `CLOSED`.
   */
  dial(address: string, options?: DialOptions): Link<Session>;
  /**
   * Asks who listens at an address which security mechanism it uses, `NULL` or `CURVE`, over a connection of its own; null
   * when it does not say in time, or speaks no ZMTP.
   */
  mechanismAt(address: string, timeoutMs: number, over: AbortSignal): Promise<string | null>;
  /** Reads what has come before this turn of the event loop ends, for whoever sends without a pause. */
  readSoon(): void;
  /** The link to oneself. */
  loopback(): Link<Session>;
  /**
   * Whether a connection that was accepted is one that this very instance dialled, by its routing id, which nobody
   * else can know. The dialled link is told.
   */
  recognize(routingId: Uint8Array | null): boolean;
  /** Takes in what is known of lost connections, before something is sent that would wait for them. */
  noticeLosses(): void;
  /** Keeps the process alive until {@link unref}. Counts. */
  ref(): void;
  /** See {@link ref}. */
  unref(): void;
  /** Counters. */
  stats(): TransportStats;
  /** Closes every connection; what was handed to libzmq may still leave for `lingerMs`. Idempotent. */
  close(lingerMs: number): Promise<void>;
}
