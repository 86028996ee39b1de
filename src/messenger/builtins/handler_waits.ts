import { type InstanceId, Shares, ZeromeshError } from "../../core/mod.ts";
import {
  decodePayload,
  decodeTtl,
  encodePayload,
  parseControlJson,
  ResponseKind,
  ttlHeader,
} from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import type { Session } from "../peers/peer.ts";
import type { InboundCall } from "../handlers/context.ts";
import { type PartOfCall, spentOf } from "../calls/spent.ts";
import type { WaitOptions } from "../calls/wait_options.ts";

/** Counters of what others wait for here. */
export interface HandlerWaitStats {
  /** Questions that wait for a handler now. */
  readonly waiting: number;
  /** Questions refused because too many waited. */
  readonly refused: number;
}

const name = "_wait_for_handler";
const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 86_400_000;
const maxNameUnits = 4 * 1024 * 1024;

/** Answers `_wait_for_handler`: as soon as there is a handler, and before the one who asks has given up. */
export class HandlerWaits {
  readonly #core: MessengerCore;
  readonly #byName = new Map<string, Set<() => void>>();
  /** Of each connection. */
  readonly #places: Shares<Session>;
  readonly #nameUnits = new Shares<Session>(maxNameUnits);

  /**
   * @param core The messenger whose handlers are waited for.
   * @param maxWaits Questions that may wait at a time.
   */
  constructor(core: MessengerCore, maxWaits: number) {
    this.#core = core;
    this.#places = new Shares(maxWaits);
    core.registry.added = (handler) => {
      for (const wake of [...this.#byName.get(handler) ?? []]) wake();
    };
    core.registry.handle(name, "unary", (call) => this.#answer(call));
  }

  /** Counters. */
  stats(): HandlerWaitStats {
    return { waiting: this.#places.taken, refused: this.#places.refused + this.#nameUnits.refused };
  }

  #answer(message: InboundCall): Uint8Array | Promise<Uint8Array> {
    const asked = parseControlJson(message.lentPayload) as Record<string, unknown> | null | undefined;
    const handler = asked?.["handler_name"];
    const timeoutMs = asked?.["timeout_ms"] ?? defaultTimeoutMs;
    if (typeof handler !== "string" || handler === "" || typeof timeoutMs !== "number") {
      throw new ZeromeshError(
        "PAYLOAD_INVALID",
        `Payload of "${name}" is invalid: it must be { handler_name, timeout_ms }`,
        { handler: name },
      );
    }
    // Looking and waiting are one step: nothing can be registered in between.
    if (this.#core.registry.get(handler) !== undefined) return reply(handler, true);
    const waitMs = patience(timeoutMs, message.systemHeader(ttlHeader));
    if (waitMs <= 0 || message.kind === ResponseKind.fire) return reply(handler, false);
    if (!this.#enter(message.session, handler.length)) {
      const why =
        `${this.#places.taken} waits for handlers are open here, which is the limit, or one connection's share of it`;
      throw new ZeromeshError("OVERLOADED", why, { handler: name });
    }
    return this.#wait(message, handler, waitMs);
  }

  #enter(session: Session, nameUnits: number): boolean {
    if (!this.#places.take(session)) return false;
    if (this.#nameUnits.take(session, nameUnits)) return true;
    this.#places.give(session);
    return false;
  }

  #wait(message: InboundCall, handler: string, waitMs: number): Promise<Uint8Array> {
    const { signal, session } = message;
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    const wakes = this.#byName.get(handler) ?? new Set();
    this.#byName.set(handler, wakes);
    const end = (available: boolean): void => {
      cancel();
      signal.removeEventListener("abort", gone);
      wakes.delete(wake);
      if (wakes.size === 0) this.#byName.delete(handler);
      this.#places.give(session);
      this.#nameUnits.give(session, handler.length);
      resolve(reply(handler, available, this.#core.lifecycle !== "running"));
    };
    const wake = (): void => end(true);
    const gone = (): void => end(false);
    const cancel = this.#core.system.clock.after(waitMs, gone);
    wakes.add(wake);
    signal.addEventListener("abort", gone);
    return promise;
  }
}

/** How long to wait for who waits so long itself: the answer needs a tenth of it, and a second at most. */
function patience(timeoutMs: number, ttl: string | undefined): number {
  const left = Math.min(
    timeoutMs,
    ttl === undefined ? Infinity : decodeTtl(ttl) ?? Infinity,
    longestTimeoutMs,
  );
  return left - Math.min(left / 10, 1_000);
}

function reply(handler: string, available: boolean, closing = false): Uint8Array {
  const answer = { handler_name: handler, available };
  return encodePayload(closing && !available ? { ...answer, closing } : answer, "json");
}

/** Whether a peer is known to be one of ours, or this instance itself. */
export function isOneOfOurs(core: MessengerCore, peer: InstanceId): boolean {
  return peer === core.instanceId || core.system.isOurs(peer);
}

/**
 * Whether a peer has a handler: one of ours says so when it has, or when the time is nearly over; plain Velo at once.
 *
 * @throws {ZeromeshError} `PEER_DRAINING` when it shuts down meanwhile; what a call throws.
 */
export async function hasHandler(
  core: MessengerCore,
  peer: InstanceId,
  handler: string,
  options: WaitOptions & PartOfCall & { timeoutMs: number },
): Promise<boolean> {
  if (!isOneOfOurs(core, peer)) return (await core.handlersOf(peer, options)).includes(handler);
  const timeoutMs = Math.min(options.timeoutMs - spentOf(options), defaultTimeoutMs);
  const payload = encodePayload({ handler_name: handler, timeout_ms: timeoutMs }, "json");
  let bytes: Uint8Array;
  try {
    bytes = await core.client.system(name, peer, { ...options, payload });
  } catch (error) {
    if (!(error instanceof ZeromeshError) || error.code !== "HANDLER_NOT_FOUND") throw error;
    return (await core.handlersOf(peer, options)).includes(handler); // an older one of ours
  }
  const answer = (decodePayload(bytes, "json").value ?? {}) as { available?: unknown; closing?: unknown };
  if (answer.available === true) return true;
  if (answer.closing !== true) return false;
  throw new ZeromeshError(
    "PEER_DRAINING",
    `Peer ${core.connections.peers.textOf(peer)} shuts down and will have no handler "${handler}"`,
    {
      peer,
      handler,
    },
  );
}
