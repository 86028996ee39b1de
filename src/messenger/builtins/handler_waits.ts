import { type HandlerOutput, hold, shape, Shares, systemContract, ZeromeshError } from "../../core/mod.ts";
import { ResponseKind } from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import type { InboundCall } from "../handlers/context.ts";
import type { Session } from "../peers/peer.ts";

/** Counters of peers' waits for handlers. */
export interface HandlerWaitStats {
  /** Waiting requests. */
  readonly waiting: number;
  /** Requests refused at the limit. */
  readonly refused: number;
}

const { flag, number, optional, record, string, text } = shape;

/** Waits until a handler is registered. */
export const waitContract = systemContract("_wait_for_handler", {
  input: record({ handler_name: text, timeout_ms: optional(number) }),
  output: record({ handler_name: string, available: flag, closing: optional(flag) }),
});
type Answer = HandlerOutput<typeof waitContract>;

/** Default timeout of a wait, in milliseconds. */
export const defaultTimeoutMs = 30_000;
const longestTimeoutMs = 86_400_000;
const maxNameUnits = 4 * 1024 * 1024;

/** Serves `_wait_for_handler`: answers when the handler is registered, and before the caller gives up. */
export class HandlerWaits {
  readonly #core: MessengerCore;
  readonly #byName = new Map<string, Set<() => void>>();
  /** Places by connection. */
  readonly #places: Shares<Session>;
  readonly #nameUnits = new Shares<Session>(maxNameUnits);

  /**
   * @param core The messenger of the handlers.
   * @param maxWaits The most waiting requests.
   */
  constructor(core: MessengerCore, maxWaits: number) {
    this.#core = core;
    this.#places = new Shares(maxWaits);
    core.registry.added = (handler) => {
      for (const wake of [...this.#byName.get(handler) ?? []]) wake();
    };
    core.registry.serve(waitContract, (call) => {
      return this.#answer(call, call.input.handler_name, call.input.timeout_ms ?? defaultTimeoutMs);
    });
  }

  /** Counters. */
  stats(): HandlerWaitStats {
    return { waiting: this.#places.taken, refused: this.#places.refused + this.#nameUnits.refused };
  }

  #answer(call: InboundCall, handler: string, timeoutMs: number): Answer | Promise<Answer> {
    // The look and the wait are one step, so that no registration is missed.
    const available = this.#core.registry.get(handler) !== undefined;
    const waitMs = available || call.kind === ResponseKind.fire ? 0 : patience(timeoutMs, call.ttlMs);
    if (waitMs <= 0) return { handler_name: handler, available };
    if (this.#enter(call.session, handler.length)) return this.#wait(call, handler, waitMs);
    const why =
      `${this.#places.taken} waits for handlers are open here, which is the limit, or one connection's share of it`;
    throw new ZeromeshError("OVERLOADED", why, { handler: waitContract.name });
  }

  #enter(session: Session, nameUnits: number): boolean {
    if (!this.#places.take(session)) return false;
    if (this.#nameUnits.take(session, nameUnits)) return true;
    this.#places.give(session);
    return false;
  }

  async #wait({ signal, session }: InboundCall, handler: string, waitMs: number): Promise<Answer> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const wake = (): void => resolve(true);
    const wakes = this.#byName.get(handler) ?? new Set();
    this.#byName.set(handler, wakes.add(wake));
    const wait = { clock: this.#core.system.clock, timeoutMs: waitMs, signal };
    const available = await hold(promise, wait).catch(() => false);
    wakes.delete(wake);
    if (wakes.size === 0) this.#byName.delete(handler);
    this.#places.give(session);
    this.#nameUnits.give(session, handler.length);
    const closing = !available && this.#core.lifecycle !== "running";
    return { handler_name: handler, available, ...(closing && { closing }) };
  }
}

/** Time to wait for a caller that waits this long: the answer needs a tenth of it, a second at most. */
function patience(timeoutMs: number, ttlMs: number): number {
  const left = Math.min(timeoutMs, ttlMs < 0 ? Infinity : ttlMs, longestTimeoutMs);
  return left - Math.min(left / 10, 1_000);
}
