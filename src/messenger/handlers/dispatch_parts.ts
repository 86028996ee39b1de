import type { Credits } from "../credit/credits.ts";
import type { InboundCall } from "./context.ts";
import type { MessengerHandle } from "./handler_context.ts";
import type { InboundObserver } from "../observe/observation.ts";
import type { HandlerRegistry } from "./registry.ts";
import type { Replies } from "./replies.ts";
import type { Connections } from "../peers/connections.ts";
import type { SharedParts } from "../shared_parts.ts";

/** What the dispatcher is made of. */
export interface DispatcherParts extends SharedParts {
  /** What a handler sees as `context.messenger`: it knows whose it is, so that its `close` need not wait for it. */
  messengerFor(call: InboundCall): MessengerHandle;
  /** The handlers. */
  readonly registry: HandlerRegistry;
  /** Where answers go. */
  readonly replies: Replies;
  /** How many bytes of answers all peers have not read. */
  readonly unread: { readonly bytes: number };
  /** So many bytes of messages that lay here are free again. */
  freed(bytes: number): void;
  /** Looks on; null when nobody wants to know. */
  readonly observer: InboundObserver | null;
  /** Who is known, and how a connection begins. */
  readonly connections: Connections;
  /** Tells senders how far they may go. */
  readonly credits: Credits;
}
