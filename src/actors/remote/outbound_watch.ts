import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { HandlerTrace, SystemPort } from "../../messenger/mod.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import { decodeEnd } from "./end_bytes.ts";
import { watchHandler } from "./messages.ts";

/**
 * Watches an actor of another instance: a call without a deadline, whose answer is the actor's end. The loss of the
 * connection, which heartbeats detect, is the loss of the actor.
 *
 * @param within The trace of the handler that watches; null without one.
 * @param timeoutMs Time for a connection that must be made first, which takes no longer than that of a call either.
 */
export function watchFrom(
  port: SystemPort,
  instance: InstanceId,
  target: string,
  timeoutMs: number,
  ended: (end: ActorEnd) => void,
  within: HandlerTrace | null = null,
): Disposable {
  const controller = new AbortController();
  const { signal } = controller;
  const payload = new TextEncoder().encode(target);
  const trace = port.traceCall(watchHandler, instance, within);
  const accept = (answer: { readonly payload: Uint8Array }): ActorEnd => decodeEnd(answer.payload);
  const watch = async (): Promise<ActorEnd> => {
    // Otherwise the call is sent at once, before what its user does next.
    if (!port.isUp(instance)) await port.reachFor("watch", instance, { timeoutMs, signal });
    return await port.call(watchHandler, instance, payload, {
      timeoutMs: Infinity,
      signal,
      accept,
      headers: trace?.headers,
    });
  };
  const watching = watch();
  // A watch that its watcher ends has not failed.
  if (trace !== null) {
    watching.then(() => trace.end(), (error) => trace.end(signal.aborted ? undefined : error));
  }
  watching.catch(lossOf).then((end) => {
    if (!signal.aborted) ended(end);
  });
  return { [Symbol.dispose]: () => controller.abort() };
}

// An instance without an actor system has no actors.
const unfound: ReadonlySet<string> = new Set(["ACTOR_NOT_FOUND", "HANDLER_NOT_FOUND", "ACTOR_STOPPED"]);
const lost: ReadonlySet<string> = new Set([
  "CLOSED",
  "PEER_DISCONNECTED",
  "PEER_DRAINING",
  "PEER_UNKNOWN",
  "PEER_UNREACHABLE",
  "TIMEOUT",
]);

/** What a watch that has failed says about the actor. */
function lossOf(error: unknown): ActorEnd {
  const code = error instanceof ZeromeshError ? error.code : "";
  return { reason: unfound.has(code) ? "notFound" : lost.has(code) ? "peerLost" : "refused", error };
}
