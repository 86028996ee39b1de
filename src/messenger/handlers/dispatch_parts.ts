import type { Clock, InstanceId } from "../../core/mod.ts";
import type { DropCounters } from "../../transport/mod.ts";
import type { AuthorizationParts } from "./authorization.ts";
import type { InboundCall } from "./context.ts";
import type { MessengerHandle } from "./handler_context.ts";
import type { InboundObserver } from "../observe/observation.ts";
import type { HandlerRegistry } from "./registry.ts";
import type { Replies } from "./replies.ts";
import type { Session } from "../peers/peer.ts";

/** What the dispatcher is made of. */
export interface DispatcherParts extends AuthorizationParts {
  /** What a handler sees as `context.messenger`: it knows whose it is, so that its `close` need not wait for it. */
  messengerFor(call: InboundCall): MessengerHandle;
  /** The handlers. */
  readonly registry: HandlerRegistry;
  /** Where answers go. */
  readonly replies: Replies;
  /** Where time comes from. */
  readonly clock: Clock;
  /** Counts what is dropped. */
  readonly drops: DropCounters;
  /** Results above this are refused. */
  readonly maxPayloadBytes: number;
  /** Messages that all handlers of the user work on together. */
  readonly concurrency: number;
  /** Messages that may wait for handlers or be worked on. */
  readonly maxInFlightMessages: number;
  /** Bytes of their payloads. */
  readonly maxInFlightBytes: number;
  /** Bytes that one peer may take up, with the answers that it has not read. */
  readonly maxPeerBytes: number;
  /** How many bytes of answers all peers have not read. */
  readonly unread: { readonly bytes: number };
  /** So many bytes of messages that lay here are free again. */
  freed(bytes: number): void;
  /** Looks on; null when nobody wants to know. */
  readonly observer: InboundObserver | null;
  /** Whether only instances that have introduced themselves are served. */
  readonly secure: boolean;
  /** Learns from a `_hello` that is refused how its sender takes answers. */
  meet(call: InboundCall): void;
  /** The peer with this worker id. */
  instanceOf(word0: number, word1: number): InstanceId | null;
  /**
   * A quarter of the window of a sender is used up by messages that nobody answers and that no longer take up room here:
   * their handlers have finished, or they were refused, dropped or cancelled.
   */
  creditDue(session: Session): void;
}
