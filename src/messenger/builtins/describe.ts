import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import { decodePayload, encodePayload } from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import { unreadableAnswer } from "./unreadable_answer.ts";
import type { WaitOptions } from "../calls/wait_options.ts";

/** What an instance says about itself when it is asked. */
export interface PeerDescription {
  /** The services that it has announced. */
  readonly services: readonly string[];
  /** Messages that its handlers are working on. */
  readonly running: number;
  /** Calls of its own that wait for an answer. */
  readonly pending: number;
}

const name = "_describe";

/** Answers {@link describePeer} from other instances. */
export function serveDescription(core: MessengerCore, services: () => readonly string[]): void {
  core.system.handle(name, "unary", () => {
    const { handlers, calls } = core.stats();
    const description: PeerDescription = {
      services: services(),
      running: handlers.running,
      pending: calls.pending,
    };
    return encodePayload(description, "json");
  });
}

/**
 * What a peer says about itself; null from plain Velo, which has no such handler.
 *
 * @throws {ZeromeshError} Like a call to it.
 */
export async function describePeer(
  core: MessengerCore,
  peer: InstanceId,
  options: WaitOptions,
): Promise<PeerDescription | null> {
  let bytes: Uint8Array;
  try {
    bytes = await core.client.system(name, peer, options);
  } catch (error) {
    const lacking = error instanceof ZeromeshError &&
      (error.code === "HANDLER_NOT_FOUND" || error.code === "REMOTE_ERROR");
    if (lacking) return null;
    throw error;
  }
  const { value } = decodePayload(bytes, "json");
  const { services, running, pending } = (value ?? {}) as Partial<PeerDescription>;
  if (Array.isArray(services) && typeof running === "number" && typeof pending === "number") {
    return { services: services.map(String), running, pending };
  }
  throw unreadableAnswer(core.connections.peers, peer, name);
}
