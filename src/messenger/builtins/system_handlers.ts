import type { ResponseId } from "../../wire/mod.ts";
import { cancelHandler, decodeCancel } from "../../wire/mod.ts";
import { ZeromeshError } from "../../core/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { HandlerRegistry } from "../handlers/registry.ts";
import { runningKey, type Session } from "../peers/peer.ts";

/** The last message of a link whose sender is shutting down; it has no payload. */
export const goodbyeHandler = "_goodbye";

/** What the system's handlers need of the messenger. */
export interface SystemHost {
  /** Answers `_hello`. */
  answerHello(call: InboundCall): Uint8Array | Promise<Uint8Array>;
  /** A peer has answered what it will and shuts down. */
  leave(session: Session): void;
  /** Counts a malformed cancellation. */
  dropCancel(): void;
}

/** Serves `_hello`, `_cancel` and `_goodbye`: what every instance answers from its first moment. */
export function serveConnections(registry: HandlerRegistry, host: SystemHost): void {
  registry.handle("_hello", "unary", (call) => host.answerHello(call));
  registry.handle(goodbyeHandler, "am", (call) => host.leave(call.session), { whileDraining: true });
  registry.handle(cancelHandler, "am", (call) => cancel(host, call), { whileDraining: true });
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
