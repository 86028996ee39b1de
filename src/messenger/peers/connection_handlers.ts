import { ZeromeshError } from "../../core/mod.ts";
import type { DropCounters } from "../../transport/mod.ts";
import { cancelHandler, decodeCancel, type ResponseId } from "../../wire/mod.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { HandlerRegistry } from "../handlers/registry.ts";
import type { Connections } from "./connections.ts";
import { runningKey, type Session } from "./peer.ts";

/** Handler of the last message of a link whose sender shuts down; without payload. */
export const goodbyeHandler = "_goodbye";

/**
 * Serves `_hello`, `_cancel` and `_goodbye`, from the first moment of an instance.
 *
 * @param lost Called with a session whose peer shuts down.
 */
export function serveConnections(
  registry: HandlerRegistry,
  connections: Connections,
  drops: DropCounters,
  lost: (session: Session) => void,
): void {
  registry.handle("_hello", "unary", (call) => connections.hellos.answer(call));
  registry.handle(cancelHandler, "am", (call) => cancel(call, drops), { whileDraining: true });
  registry.handle(goodbyeHandler, "am", ({ session }) => {
    connections.leave(session);
    lost(session);
  }, { whileDraining: true });
}

function cancel(call: InboundCall, drops: DropCounters): void {
  const id: ResponseId = { id0: 0, id1: 0, id2: 0, id3: 0 };
  const payload = call.lentPayload;
  if (decodeCancel(payload, 0, payload.length, id) !== null) return drops.count("cancelLength");
  // Only calls of the same connection can be cancelled, so that no peer cancels another's.
  const running = call.session.running.get(runningKey(id));
  if (running === undefined || running.id2 !== id.id2 || running.id3 !== id.id3) return;
  const { handlerName: handler } = running;
  running.abort(
    new ZeromeshError("CANCELLED", `The caller of "${handler}" cancelled`, { handler, ran: "maybe" }),
  );
}
