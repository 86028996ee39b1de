import { ZeromeshError } from "../../core/mod.ts";
import {
  answeredLater,
  type HandlerTrace,
  type PeerConnection,
  type SystemMessage,
  type SystemPort,
} from "../../messenger/mod.ts";
import { isActorId, isActorName } from "../references/address.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { ResolvedSystemOptions } from "../options/system_options.ts";
import type { SystemRouter } from "../routing/router.ts";
import { watchCell } from "../supervision/watches.ts";
import { encodeEnd } from "./end_bytes.ts";
import { watchHandler } from "./messages.ts";
import { fail, failureFor } from "../failures.ts";

/** What {@link InboundWatches} need of their system. */
export interface InboundWatchesParts {
  readonly port: SystemPort;
  readonly router: Pick<SystemRouter, "find">;
  readonly options: Pick<ResolvedSystemOptions, "maxWatches">;
}

interface Pending {
  readonly message: SystemMessage;
  readonly trace: HandlerTrace | null;
  source: Disposable | null;
}

/** Answers the watches of other instances when the actors have ended. */
export class InboundWatches implements Disposable {
  readonly #parts: InboundWatchesParts;
  readonly #pending = new Map<PeerConnection, Set<Pending>>();
  readonly #registered: readonly Disposable[];

  constructor(parts: InboundWatchesParts) {
    this.#parts = parts;
    const { port } = parts;
    this.#registered = [
      port.handle(watchHandler, "unary", (message) => this.#receive(message)),
      // A watch is no work that is to be finished before the end.
      port.watch({ leaving: () => Promise.resolve(this.#leave()) }),
    ];
  }

  [Symbol.dispose](): void {
    for (const one of this.#registered) one[Symbol.dispose]();
    this.#leave();
  }

  #receive(message: SystemMessage): unknown {
    const { port } = this.#parts;
    const target = new TextDecoder().decode(message.lentPayload);
    if (port.senderOf(message) === null || !(isActorId(target) || isActorName(target))) {
      fail(
        new ZeromeshError(
          "PAYLOAD_INVALID",
          "A watch is refused: it names no actor, or its sender is unknown",
        ),
      );
    }
    const all = this.#room(message.session);
    const pending: Pending = { message, trace: port.traceOf(message, watchHandler, "unary"), source: null };
    all.add(pending);
    message.whenAborted((reason) => this.#gone(pending, reason), false);
    if (!port.authorizes) this.#begin(pending, target);
    else {
      port.authorize(message, { actor: target, action: "watch" }).then(
        () => this.#begin(pending, target),
        (error) => this.#refuse(pending, error),
      );
    }
    return answeredLater;
  }

  /** The watches of a connection. */
  #room(session: PeerConnection): Set<Pending> {
    const { maxWatches } = this.#parts.options;
    let all = this.#pending.get(session);
    if (all === undefined) this.#pending.set(session, all = new Set());
    if (all.size < maxWatches) return all;
    fail(
      new ZeromeshError("LIMIT_REACHED", `The instance has maxWatches (${maxWatches}) watches of this peer`),
    );
  }

  #begin(pending: Pending, target: string): void {
    if (this.#pending.get(pending.message.session)?.has(pending) !== true) return;
    try {
      const cell = this.#parts.router.find(target);
      pending.source = watchCell(cell, (end) => this.#answer(pending, end));
    } catch (error) {
      this.#refuse(pending, error);
    }
  }

  #answer(pending: Pending, end: ActorEnd): void {
    // The handler's result must be known to the messenger first, and the answer must not be sent twice.
    if (!this.#forget(pending)) return;
    pending.trace?.end("succeeded", undefined);
    this.#parts.port.answer(pending.message, encodeEnd(end));
  }

  #refuse(pending: Pending, error: unknown): void {
    // Not before the handler has returned.
    if (!this.#forget(pending)) return;
    // Its watcher has ended it, which is no failure.
    const left = error instanceof ZeromeshError && error.code === "CANCELLED";
    pending.trace?.end(left ? "succeeded" : "rejected", left ? undefined : error);
    queueMicrotask(() => this.#parts.port.refuse(pending.message, failureFor(error)));
  }

  #forget(pending: Pending): boolean {
    const { session } = pending.message;
    const all = this.#pending.get(session);
    if (all?.delete(pending) !== true) return false;
    if (all.size === 0) this.#pending.delete(session);
    pending.source?.[Symbol.dispose]();
    return true;
  }

  #leave(): void {
    const error = new ZeromeshError("CLOSED", "The instance of the actor closes");
    for (const all of [...this.#pending.values()]) {
      for (const pending of [...all]) this.#gone(pending, error);
    }
  }

  /** Nobody waits any more, or the instance closes, in order: then the actor ends with it. */
  #gone(pending: Pending, reason: unknown): void {
    const closes = reason instanceof ZeromeshError && reason.code === "CLOSED";
    if (closes && pending.source !== null) this.#answer(pending, { reason: "stopped" });
    else this.#refuse(pending, reason);
  }
}
