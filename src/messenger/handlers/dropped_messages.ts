import { type Clock, type Logger, ThrottledLog } from "../../core/mod.ts";
import type { Drop, DropCounters } from "../../transport/mod.ts";
import { peerText } from "../peers/peer.ts";
import type { InboundCall } from "./context.ts";
import type { Failure } from "./reply_sender.ts";

/** The drop counter for a message without an answer, by the code that a call would get. */
const dropOf: Readonly<Record<string, Drop>> = {
  OVERLOADED: "overloaded",
  HANDLER_NOT_FOUND: "handlerKind",
  CANCELLED: "handlerStopped",
  FORBIDDEN: "forbidden",
};

/**
 * Counts dropped messages without an answer, and logs those that are a fault of the sender's program. Messages that
 * `authorize` refuses are logged even if they get an answer.
 */
export class DroppedMessages {
  readonly #drops: DropCounters;
  readonly #log: ThrottledLog;
  readonly #forbidden: ThrottledLog;

  /** @param parts Counters, logger, and clock for the log. */
  constructor(parts: { readonly drops: DropCounters; readonly logger: Logger; readonly clock: Clock }) {
    this.#drops = parts.drops;
    this.#log = new ThrottledLog(parts.logger, parts.clock, "a message was dropped");
    this.#forbidden = new ThrottledLog(parts.logger, parts.clock, "authorize did not let a message in");
  }

  /** Counts a dropped message. */
  add(call: InboundCall, { code, message }: Failure): void {
    this.#drops.count(dropOf[code]!);
    if (code !== "HANDLER_NOT_FOUND") return;
    const { handlerName: handler } = call;
    this.#log.warn(handler, { handler, peer: senderOf(call), reason: message });
  }

  /** Counts and logs a forbidden message. @param reason The user's reason, or empty. */
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
