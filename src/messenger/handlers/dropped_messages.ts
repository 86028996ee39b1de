import { type Clock, type Logger, ThrottledLog } from "../../core/mod.ts";
import type { Drop, DropCounters } from "../../transport/mod.ts";
import { peerText } from "../peers/peer.ts";
import type { InboundCall } from "./context.ts";
import type { Failure } from "./replies.ts";

/** How a message is counted that no handler takes, by the code that a call would have got. */
const dropOf: Readonly<Record<string, Drop>> = {
  OVERLOADED: "overloaded",
  HANDLER_NOT_FOUND: "handlerKind",
  CANCELLED: "handlerStopped",
  FORBIDDEN: "forbidden",
};

/**
 * Counts messages that nobody waits for and no handler takes; a fault of the sender's program is logged, too. So is
 * whatever `authorize` does not let in, also what somebody waits for.
 */
export class DroppedMessages {
  readonly #drops: DropCounters;
  readonly #log: ThrottledLog;
  readonly #forbidden: ThrottledLog;

  /** @param parts Where they are counted, and what the log takes. */
  constructor(parts: { readonly drops: DropCounters; readonly logger: Logger; readonly clock: Clock }) {
    this.#drops = parts.drops;
    this.#log = new ThrottledLog(parts.logger, parts.clock, "a message was dropped");
    this.#forbidden = new ThrottledLog(parts.logger, parts.clock, "authorize did not let a message in");
  }

  /** One was dropped, for this reason. */
  add(call: InboundCall, { code, message }: Failure): void {
    this.#drops.count(dropOf[code]!);
    if (code !== "HANDLER_NOT_FOUND") return;
    const { handlerName: handler } = call;
    this.#log.warn(handler, { handler, peer: senderOf(call), reason: message });
  }

  /** One was not let in. @param reason What the user says; empty where that is nothing. */
  forbidden(call: InboundCall, reason: string): void {
    const { handlerName: handler, session: { link: { peerKey: key, address } } } = call;
    this.#forbidden.warn(handler, {
      handler,
      peer: senderOf(call),
      key,
      address,
      reason: reason === "" ? "it did not answer true" : reason,
    });
  }
}

function senderOf(call: InboundCall): string | null {
  const { peer } = call.session;
  return peer === null ? call.senderInstanceId : peerText(peer);
}
