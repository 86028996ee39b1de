import type { ResponseId } from "../../wire/mod.ts";
import { cancelHandler, creditHandler, decodeCancel } from "../../wire/mod.ts";
import { ZeromeshError } from "../../core/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import { systemHandler } from "../handlers/handler.ts";
import type { Handler } from "../handlers/handler_context.ts";
import { runningKey, type Session } from "../peers/peer.ts";

/** The last message of a link whose sender is shutting down; it has no payload. */
export const goodbyeHandler = "_goodbye";

/** System handlers that finish work accepted earlier, and therefore run while draining. */
export const servedWhileDraining: ReadonlySet<string> = new Set([
  cancelHandler,
  creditHandler,
  goodbyeHandler,
  "_ack",
  "_health_check",
  "_event_subscribe",
  "_event_unsubscribe",
  "_event_trigger",
  "_event_trigger_request",
  "_event_poll",
]);

/** What the system's handlers need of the messenger. */
export interface SystemHost {
  /** Answers `_hello`. */
  answerHello(call: InboundCall): Uint8Array | Promise<Uint8Array>;
  /** A peer has answered what it will and shuts down. */
  leave(session: Session): void;
  /** Counts a malformed cancellation. */
  dropCancel(): void;
}

/** `_hello`, `_cancel` and `_goodbye`: what every instance answers from its first moment. */
export function systemHandlers(host: SystemHost): Handler[] {
  return [
    systemHandler("_hello", "unary", (context) => host.answerHello(asCall(context))),
    systemHandler(goodbyeHandler, "am", (context) => host.leave(asCall(context).session)),
    systemHandler(cancelHandler, "am", (context) => cancel(host, asCall(context))),
  ];
}

// Handlers get the inbound call as their context; the system's own know it as what it is.
function asCall(context: unknown): InboundCall {
  return context as InboundCall;
}

function cancel(host: SystemHost, call: InboundCall): void {
  const id: ResponseId = { id0: 0, id1: 0, id2: 0, id3: 0 };
  const payload = call.lentPayload;
  if (decodeCancel(payload, 0, payload.length, id) !== null) return host.dropCancel();
  // Only calls of the very connection can be given up, so nobody can cancel for another.
  const running = call.session.running.get(runningKey(id));
  if (running === undefined || running.id2 !== id.id2 || running.id3 !== id.id3) return;
  running.abort(
    new ZeromeshError("CANCELLED", `The caller of "${running.handlerName}" cancelled`, {
      handler: running.handlerName,
      ran: "maybe",
    }),
  );
}
