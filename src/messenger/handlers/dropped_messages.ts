import { type Clock, type Logger, SeldomLog } from "../../core/mod.ts";
import type { Drop, DropCounters } from "../../transport/mod.ts";
import { peerText } from "../peers/peers.ts";
import type { InboundCall } from "./context.ts";
import type { Failure } from "./replies.ts";

/** How a message is counted that no handler takes, by the code that a call would have got. */
const dropOf: Readonly<Record<string, Drop>> = {
  OVERLOADED: "overloaded",
  HANDLER_NOT_FOUND: "handlerKind",
  CANCELLED: "handlerStopped",
};

/** Counts messages that nobody waits for and no handler takes; a fault of the sender's program is logged, too. */
export class DroppedMessages {
  readonly #drops: DropCounters;
  readonly #log: SeldomLog;

  /** @param parts Where they are counted, and what the log takes. */
  constructor(parts: { readonly drops: DropCounters; readonly logger: Logger; readonly clock: Clock }) {
    this.#drops = parts.drops;
    this.#log = new SeldomLog(parts.logger, parts.clock, "a message was dropped");
  }

  /** One was dropped, for this reason. */
  add(call: InboundCall, { code, message }: Failure): void {
    this.#drops.count(dropOf[code]!);
    if (code !== "HANDLER_NOT_FOUND") return;
    const { handlerName: handler, session: { peer } } = call;
    const from = peer === null ? call.senderInstanceId : peerText(peer);
    this.#log.warn(handler, { handler, peer: from, reason: message });
  }
}
