import type { ReactorStats } from "../libzmq/mod.ts";
import type { Drop } from "./drops.ts";
import type { InboundMessage } from "./inbound.ts";
import type { Link } from "./link.ts";
import type { LinkLoss } from "./link_shared.ts";

export type { LinkLoss } from "./link_shared.ts";

/** The user of a transport. Both methods are called by the reactor and must not throw. */
export interface TransportHandler<Session> {
  /** A message arrived. It is valid during the call. */
  message(link: Link<Session>, message: InboundMessage): void;
  /** A connection ended, after all its received messages. Messages queued on the link will not leave. */
  gone(link: Link<Session>, loss: LinkLoss): void;
}

/** Counters of a transport, and its current state. */
export interface TransportStats {
  /** Dialled connections that are open or being opened. */
  readonly dialled: number;
  /** Accepted connections that have sent a message. */
  readonly accepted: number;
  /** Accepted connections that did not finish the ZMTP handshake or sent no message. */
  readonly silent: number;
  /** Messages in bounded queues, waiting for room or for a handshake. */
  readonly queuedMessages: number;
  /** Bytes of these messages. */
  readonly queuedBytes: number;
  /** Messages handed to libzmq since the start. */
  readonly sentMessages: number;
  /** Messages received since the start. */
  readonly receivedMessages: number;
  /** Sends that wait for room in their peer's queue. */
  readonly waitingSends: number;
  /** Received messages that wait for their turn, because others of their connection take long. */
  readonly backlogMessages: number;
  /** Memory of the received messages outside the current batch. */
  readonly backlogBytes: number;
  /** How often a peer's high-water mark blocked a message. */
  readonly blocked: number;
  /** Bytes that peers have not read: in libzmq, in the system's buffers, and in answers queued before libzmq. */
  readonly heldBytes: number;
  /** The reactor that reads the sockets, shared by all instances of a JavaScript thread. */
  readonly reactor: ReactorStats;
  /** Drops since the start, by reason. */
  readonly drops: Readonly<Partial<Record<Drop, number>>>;
}

/** Options of dialling. */
export interface DialOptions {
  /** The CURVE public key that the other end must own, Z85; for instances that use CURVE. */
  serverKey?: string | null | undefined;
  /** The endpoint that resolved to the address, for display. @default {the address} */
  endpoint?: string | undefined;
}

/**
 * Transport of frames between instances, as the messenger uses it.
 *
 * @typeParam Session The state that the user attaches to a link.
 */
export interface Transport<Session> {
  /** Endpoints that peers can dial, preferred first. Empty when nothing is bound. */
  readonly endpoints: readonly string[];
  /** Memory in which headers are encoded before {@link Link.send}; at least 84 KiB. */
  readonly headerBytes: Uint8Array;
  /** A view of {@link headerBytes}. */
  readonly headerView: DataView;
  /**
   * The current addresses of an endpoint; a host name may have several, which change.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID`; `PEER_UNREACHABLE` or `FORBIDDEN` when a name cannot be resolved.
   */
  resolve(endpoint: string): Promise<readonly string[]>;
  /**
   * Starts a connection to an address of {@link resolve}. Failure is reported through
   * {@link TransportHandler.gone}.
   *
   * @throws {ZeromeshError} `ENDPOINT_INVALID`, `CLOSED`.
   */
  dial(address: string, options?: DialOptions): Link<Session>;
  /**
   * The security mechanism of the listener at an address, `NULL` or `CURVE`, asked over a separate connection; null
   * without an answer of ZMTP in time.
   */
  mechanismAt(address: string, timeoutMs: number, over: AbortSignal): Promise<string | null>;
  /** Reads received messages before this turn of the event loop ends, for a sender that does not pause. */
  readSoon(): void;
  /** The link of this instance to itself. */
  loopback(): Link<Session>;
  /**
   * Whether an accepted connection was dialled by this instance itself, by its secret routing id. The dialled link is
   * marked.
   */
  recognize(routingId: Uint8Array | null): boolean;
  /** Handles known losses of connections before a message is sent that would wait for them. */
  noticeLosses(): void;
  /** Keeps the process alive until {@link unref}. Calls are counted. */
  ref(): void;
  /** Undoes one {@link ref}. */
  unref(): void;
  /** Counters. */
  stats(): TransportStats;
  /** Closes all connections; messages in libzmq may still leave for `lingerMs`. Idempotent. */
  close(lingerMs: number): Promise<void>;
}
