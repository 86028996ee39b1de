import { type InstanceId, pause, ZeromeshError } from "../../core/mod.ts";
import { elapsedMs, type PartOfCall } from "../calls/elapsed.ts";
import type { WaitOptions } from "../calls/wait_options.ts";
import type { SystemPort } from "../system_port.ts";
import { listContract } from "./handler_list.ts";
import { defaultTimeoutMs, waitContract } from "./handler_waits.ts";

const handlerPollMs = 100;

/** Waits until a peer has a handler, see `Messenger.waitForHandler`. */
export async function waitForHandler(
  port: SystemPort,
  peer: InstanceId,
  name: string,
  timeoutMs: number,
  { signal, [elapsedMs]: before = 0 }: Pick<WaitOptions, "signal"> & PartOfCall,
): Promise<void> {
  const startedAt = port.clock.now() - before;
  for (let answered = false;;) {
    const spent = port.clock.now() - startedAt;
    const left = timeoutMs - spent;
    if (left <= 0) {
      const why = `Peer ${port.textOf(peer)} has no handler "${name}" after ${timeoutMs} ms`;
      throw new ZeromeshError("HANDLER_NOT_FOUND", why, { peer, handler: name });
    }
    try {
      if (await hasHandler(port, peer, name, left, { timeoutMs, [elapsedMs]: spent, signal })) return;
      answered = true;
    } catch (error) {
      // A peer that has answered before may miss the last request's deadline.
      if (answered && error instanceof ZeromeshError && error.code === "TIMEOUT") continue;
      throw error;
    }
    await pause(port.clock, Math.min(handlerPollMs, left), signal);
    signal?.throwIfAborted();
  }
}

/** Whether a peer has a handler: a zeromesh instance answers when it has, or near the deadline; plain Velo at once. */
async function hasHandler(
  port: SystemPort,
  peer: InstanceId,
  handler: string,
  leftMs: number,
  wait: WaitOptions & PartOfCall,
): Promise<boolean> {
  if (port.isOurs(peer)) {
    const question = { handler_name: handler, timeout_ms: Math.min(leftMs, defaultTimeoutMs) };
    const answer = await port.call(waitContract, peer, question, wait).catch((error) => {
      // An older zeromesh version does not know the question.
      if (error instanceof ZeromeshError && error.code === "HANDLER_NOT_FOUND") return null;
      throw error;
    });
    if (answer?.closing === true && !answer.available) {
      const why = `Peer ${port.textOf(peer)} shuts down and will have no handler "${handler}"`;
      throw new ZeromeshError("PEER_DRAINING", why, { peer, handler });
    }
    if (answer !== null) return answer.available;
  }
  return (await port.call(listContract, peer, undefined, wait)).handlers.includes(handler);
}
