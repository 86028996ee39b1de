import { type InstanceId, pause, ZeromeshError } from "../../core/mod.ts";
import type { MessengerCore } from "../core.ts";
import { hasHandler } from "./handler_waits.ts";
import { type PartOfCall, spentMs } from "../calls/spent.ts";
import type { WaitOptions } from "../calls/wait_options.ts";

const handlerPollMs = 100;

/** Waits until a peer has a handler, see `Messenger.waitForHandler`. */
export async function waitForHandler(
  core: MessengerCore,
  peer: InstanceId,
  name: string,
  timeoutMs: number,
  { signal, [spentMs]: before = 0 }: Pick<WaitOptions, "signal"> & PartOfCall,
): Promise<void> {
  const startedAt = core.now() - before;
  for (let answered = false;;) {
    const spent = core.now() - startedAt;
    const left = timeoutMs - spent;
    if (left <= 0) {
      throw new ZeromeshError(
        "HANDLER_NOT_FOUND",
        `Peer ${core.connections.peers.textOf(peer)} has no handler "${name}" after ${timeoutMs} ms`,
        { peer, handler: name },
      );
    }
    try {
      if (await hasHandler(core, peer, name, { timeoutMs, [spentMs]: spent, signal })) return;
      answered = true;
    } catch (error) {
      // A peer that has answered before is not to blame for the last moment's question.
      if (answered && error instanceof ZeromeshError && error.code === "TIMEOUT") continue;
      throw error;
    }
    await pause(core.system.clock, Math.min(handlerPollMs, left), signal);
    signal?.throwIfAborted();
  }
}
