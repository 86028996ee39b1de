import type { Credits } from "../credit/credits.ts";
import type { InboundCall } from "./context.ts";
import type { MessengerHandle } from "./handler_context.ts";
import type { InboundObserver } from "../observe/observation.ts";
import type { HandlerRegistry } from "./registry.ts";
import type { ReplySender } from "./reply_sender.ts";
import type { Connections } from "../peers/connections.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of a {@link Dispatcher}. */
export interface DispatcherParts extends SharedParts {
  /** Makes `context.messenger`. It knows its handler, so that its `close` need not wait for it. */
  messengerFor(call: InboundCall): MessengerHandle;
  /** The handlers. */
  readonly registry: HandlerRegistry;
  /** Sends answers. */
  readonly replies: ReplySender;
  /** Bytes of answers that peers have not read. */
  readonly unread: { readonly bytes: number };
  /** Reports freed bytes of held messages. */
  freed(bytes: number): void;
  /** Observer; null for none. */
  readonly observer: InboundObserver | null;
  /** Peers and connections. */
  readonly connections: Connections;
  /** Grants credit to senders. */
  readonly credits: Credits;
}
