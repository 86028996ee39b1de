import type { ResponseId } from "../../wire/mod.ts";
import { cancelHandler, decodeCancel } from "../../wire/mod.ts";
import { ZeromeshError } from "../../core/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { HandlerRegistry } from "../handlers/registry.ts";
import { runningKey, type Session } from "../peers/peer.ts";

/** Handler of the last message of a link whose sender shuts down; without payload. */
export const goodbyeHandler = "_goodbye";

/** The messenger of the system handlers. */
export interface SystemHost {
  /** Answers `_hello`. */
  answerHello(call: InboundCall): Uint8Array | Promise<Uint8Array>;
  /** A peer has sent its last answers and shuts down. */
  leave(session: Session): void;
  /** Counts a malformed cancellation. */
  dropCancel(): void;
}

/** Serves `_hello`, `_cancel` and `_goodbye`, from the first moment of an instance. */
export function serveConnections(registry: HandlerRegistry, host: SystemHost): void {
  registry.handle("_hello", "unary", (call) => host.answerHello(call));
  registry.handle(goodbyeHandler, "am", (call) => host.leave(call.session), { whileDraining: true });
  registry.handle(cancelHandler, "am", (call) => cancel(host, call), { whileDraining: true });
}

function cancel(host: SystemHost, call: InboundCall): void {
  const id: ResponseId = { id0: 0, id1: 0, id2: 0, id3: 0 };
  const payload = call.lentPayload;
  if (decodeCancel(payload, 0, payload.length, id) !== null) return host.dropCancel();
  // Only calls of the same connection can be cancelled, so that no peer cancels another's.
  const running = call.session.running.get(runningKey(id));
  if (running === undefined || running.id2 !== id.id2 || running.id3 !== id.id3) return;
  running.abort(
    new ZeromeshError("CANCELLED", `The caller of "${running.handlerName}" cancelled`, {
      handler: running.handlerName,
      ran: "maybe",
    }),
  );
}
