import {
  type AnySchema,
  type Clock,
  errorText,
  type Guard,
  isThenable,
  type Limiter,
  readable,
  semaphore,
  ZeromeshError,
} from "../../core/mod.ts";
import type { InboundMessage } from "../../transport/mod.ts";
import { RequestHeader, ResponseKind } from "../../wire/mod.ts";
import { type AuthorizationHost, mostUndecided } from "./authorization.ts";
import { askPolicy } from "./ask_policy.ts";
import { shuttingDown } from "./abort_state.ts";
import { answeredLater } from "./answered_later.ts";
import { type CallHost, InboundCall, type Registered } from "./context.ts";
import type { DispatcherParts } from "./dispatch_parts.ts";
import { DispatchCounts, type DispatchStats } from "./dispatch_stats.ts";
import { DroppedMessages } from "./dropped_messages.ts";
import { readInput } from "./input.ts";
import { type LaneHost, lanesOf } from "./lanes.ts";
import { runHandler } from "../observe/observation.ts";
import {
  anotherKind,
  DispatchFailure,
  FeatureFailure,
  forbidden,
  handlerNotFound,
  overloaded,
  payloadTooLarge,
  stopped,
} from "./failures.ts";
import type { Failure, ReplyTarget } from "./reply_sender.ts";
import { HandlerResults } from "./handler_results.ts";
import { Admission } from "./admission.ts";
import { RunningCalls } from "./running_calls.ts";
import { isForeign } from "../peers/identity.ts";
import type { Session } from "../peers/peer.ts";

type Outcome = "succeeded" | "failed" | "cancelled" | "rejected";

/**
 * Dispatches requests to handlers, and their results back.
 *
 * A handler's part before its first `await` runs inside the receive loop: answers of a drain are then sent together,
 * and a payload is decoded in place.
 */
export class Dispatcher implements AuthorizationHost<InboundCall>, CallHost, LaneHost<InboundCall> {
  /** Its parts. */
  readonly parts: DispatcherParts;
  readonly clock: Clock;
  readonly guard: Guard;
  /** The waiting and running messages, and their end when the instance closes. */
  readonly running = new RunningCalls();
  /** Whether no new messages begin. */
  draining = false;
  readonly #counts = new DispatchCounts();
  readonly #results: HandlerResults;
  readonly #admission: Admission;
  readonly #common: readonly Limiter[];
  readonly #dropped: DroppedMessages;
  /** Messages for system handlers with a user's admission whose senders used no credit. */
  readonly #uncredited = new Set<InboundCall>();

  /** @param parts Its parts. */
  constructor(parts: DispatcherParts) {
    this.parts = parts;
    this.clock = parts.clock;
    this.guard = parts.guard;
    this.#dropped = new DroppedMessages(parts);
    const { maxInFlightMessages, maxInFlightBytes, maxPeerBytes } = parts;
    this.#admission = new Admission(
      maxInFlightMessages,
      maxInFlightBytes,
      maxPeerBytes,
      parts.unread,
      (bytes) => parts.freed(bytes),
    );
    this.#results = new HandlerResults(parts, this.#admission);
    this.#common = parts.concurrency === Infinity ? [] : [semaphore(parts.concurrency)];
  }

  /** Counters. */
  stats(): DispatchStats {
    return this.#counts.snapshot(this.parts.registry, this.running.working, this.#admission.total);
  }

  /** Refuses new requests from now on. Waiting messages are given back; system requests end. */
  drain(): void {
    this.draining = true;
    for (const { lanes } of this.parts.registry.all()) lanes?.close();
    for (const call of this.running.all()) {
      if (call.waits || call.registered?.immediate === true) call.abort(shuttingDown());
    }
  }

  /** Aborts the signals of a session's running messages. */
  abortSession(session: Session, reason: unknown): void {
    for (const call of this.running.of(session)) {
      // It needs no answer and was accepted, so it runs although its sender is gone.
      if (call.waits && call.kind === ResponseKind.fire) continue;
      call.abort(reason);
    }
  }

  /** Dispatches one request. */
  request(session: Session, message: InboundMessage, header: RequestHeader): void {
    const bytes = message.payloadEnd - message.payloadStart;
    if (header.kind !== ResponseKind.fire && session.link.state === "closed") {
      this.parts.drops.count("senderGone");
      return this.dropped(session, header, bytes);
    }
    if (isForeign(session, header, this.parts.secure)) {
      this.parts.drops.count("identityMismatch");
      return this.dropped(session, header, bytes);
    }
    const { kind, name, headersStart, headersEnd } = header;
    const call = new InboundCall(this, session, message, kind, name, header, headersStart, headersEnd);
    const registered = this.parts.registry.get(header.name);
    if (this.draining && registered?.whileDraining !== true) {
      this.#counts.refused++;
      if (header.name === "_hello") this.parts.connections.hellos.meet(call);
      this.parts.replies.giveBack(call, message.header.slice(message.headerStart, message.headerEnd));
      return this.dropped(session, header, bytes);
    }
    if (registered === undefined) return this.#turnAway(call, header, bytes, handlerNotFound(name));
    call.registered = registered;
    registered.counts.issued++;
    if (registered.immediate) {
      if (header.credited) this.#settle(session, bytes, null);
      return this.#run(call, registered);
    }
    if (!registered.system) this.parts.observer?.received(call);
    if (kind === ResponseKind.fire) this.#began(call, registered, header);
    if (registered.authorization === null) return this.allowed(call, header.am);
    const why = this.#noRoom(call, registered, mostUndecided);
    if (why !== null) return this.#reject(call, registered, overloaded(name, why));
    registered.authorization.ask(call, header.am, this);
  }

  #began(call: InboundCall, { system }: Registered, header: RequestHeader): void {
    if (system && !header.credited) this.#uncredited.add(call);
    else call.session.received?.began(call, this.parts.clock);
  }

  /** Dispatches an authorized message. */
  allowed(call: InboundCall, am: boolean): void {
    const registered = call.registered!;
    if (call.asked !== null) this.#waitsNoMore(call, registered);
    const mistaken = anotherKind(call, am, registered.handler);
    if (mistaken !== null) return this.#reject(call, registered, mistaken);
    if (registered.stopped !== null) return this.#reject(call, registered, stopped(registered.stopped));
    const why = call.held ? null : this.#noRoom(call, registered, Infinity);
    if (why !== null) return this.#reject(call, registered, overloaded(call.handlerName, why));
    if (registered.lanes === undefined) {
      registered.lanes = lanesOf(this, registered.handler, registered.unlimited ? [] : this.#common);
    }
    const { lanes } = registered;
    if (lanes === null) return this.#run(call, registered);
    const admission = lanes.admit(call);
    if (admission === "run") return this.#run(call, registered);
    if (admission === "full") {
      const why = "too many messages wait for it (maxQueued)";
      this.#reject(call, registered, overloaded(call.handlerName, why));
    }
  }

  /** Refuses a message that is not authorized. */
  forbidden(call: InboundCall, reason: string): void {
    const registered = call.registered!;
    if (call.asked !== null) this.#waitsNoMore(call, registered);
    this.#dropped.forbidden(call, reason);
    this.#reject(call, registered, forbidden(call.handlerName, reason));
  }

  /** Frees the room that was kept until `authorize` answered. */
  decidedLate(call: InboundCall): void {
    this.#release(call, call.registered!);
  }

  /** Why a message is not admitted; null when it is. The library's own are always admitted. */
  #noRoom(
    { kind, session, bytes }: InboundCall,
    { unlimited, held }: Registered,
    most: number,
  ): string | null {
    if (!unlimited) return this.#admission.whyNot(held, session, kind !== ResponseKind.fire, bytes);
    return held.messages < most ? null : `the limit of messages that wait for authorize is reached (${most})`;
  }

  /** Refuses a request whose payload exceeds the limit and was not read. */
  tooLarge(session: Session, header: RequestHeader, bytes: number, limit: number): void {
    const { id0, id1, id2, id3, kind, name } = header;
    if (isForeign(session, header, this.parts.secure)) return this.dropped(session, header, bytes);
    const target = { id0, id1, id2, id3, kind, handlerName: name, session };
    this.#turnAway(target, header, bytes, payloadTooLarge(name, bytes, limit));
  }

  #turnAway(target: ReplyTarget, header: RequestHeader, bytes: number, failure: Failure): void {
    this.#counts.refused++;
    this.parts.replies.fail(target, failure);
    this.dropped(target.session, header, bytes);
  }

  /** Notes that a message waits for its turn. */
  waits(call: InboundCall): void {
    const registered = call.registered!;
    registered.counts.queued++;
    this.running.enter(call);
    this.#hold(call, registered);
    if (call.kind !== ResponseKind.fire) call.startDeadline();
  }

  /** Runs a message whose turn has come. */
  start(call: InboundCall): void {
    const registered = call.registered!;
    this.#waitsNoMore(call, registered);
    this.#run(call, registered);
  }

  /** Refuses a message that gave its place to a later one. */
  evicted(call: InboundCall): void {
    const registered = call.registered!;
    this.#waitsNoMore(call, registered);
    const why = "a later message took its place (dropOldest)";
    this.#reject(call, registered, overloaded(call.handlerName, why));
  }

  #waitsNoMore(call: InboundCall, { counts }: Registered): void {
    call.asked = null;
    counts.queued--;
    this.running.leave(call);
  }

  /** Ends a waiting call that was aborted. */
  abandonWaiting(call: InboundCall): void {
    const registered = call.registered!;
    if (call.asked !== null) registered.authorization!.leave(call, this);
    else if (!registered.lanes?.leave(call)) return;
    this.#waitsNoMore(call, registered);
    if (this.draining && call.kind !== ResponseKind.fire && !call.expired) {
      this.parts.replies.giveBack(call);
    }
    this.#end(call, registered, "cancelled", false);
  }

  #reject(call: InboundCall, registered: Registered, failure: Failure): void {
    this.#counts.refused++;
    if (failure.code === "OVERLOADED") this.#counts.overloaded++;
    if (call.kind === ResponseKind.fire) {
      registered.counts.dropped++;
      this.#dropped.add(call, failure);
    } else this.parts.replies.fail(call, failure);
    this.#end(call, registered, "rejected", false);
    call.retire();
  }

  #run(call: InboundCall, registered: Registered): void {
    registered.counts.inFlight++;
    this.#counts.started++;
    let result: unknown, later: boolean;
    try {
      if (registered.schema === null) {
        result = runHandler(this.parts.observer, call, registered);
      } else result = this.#runChecked(call, registered, registered.schema);
      if (result === answeredLater) {
        this.#keep(call, registered);
        return call.retire();
      }
      later = isThenable(result);
    } catch (error) {
      this.#fail(call, registered, error);
      return call.retire();
    }
    if (later) return this.#await(call, registered, result, (value) => this.#finish(call, registered, value));
    this.#finish(call, registered, result);
    call.retire();
  }

  /** Notes that a message's answer comes later. */
  #keep(call: InboundCall, registered: Registered): void {
    this.running.begin(call);
    this.#hold(call, registered);
  }

  /** Gives a later answer. */
  answer(call: InboundCall, result: unknown): void {
    this.running.end(call);
    this.#finish(call, call.registered!, result);
  }

  /** Fails a kept message. */
  refuse(call: InboundCall, error: unknown): void {
    this.running.end(call);
    this.#fail(call, call.registered!, error);
  }

  #runChecked(call: InboundCall, registered: Registered, schema: AnySchema): unknown {
    const input = readInput(call, schema);
    const run = (value: unknown): unknown => {
      call.input = value;
      return runHandler(this.parts.observer, call, registered);
    };
    return input instanceof Promise ? call.orAborted(input).then(run) : run(input);
  }

  #await<T>(call: InboundCall, registered: Registered, result: T, finish: (value: Awaited<T>) => void): void {
    call.detach();
    this.#keep(call, registered);
    // A foreign thenable may throw, or its then() return nothing.
    Promise.resolve(result).then((value) => {
      if (value === answeredLater) return;
      this.running.end(call);
      finish(value);
    }, (error) => this.refuse(call, error)).catch((error) =>
      this.parts.logger.error("a reply failed", { error: errorText(error) })
    );
  }

  #hold(call: InboundCall, registered: Registered): void {
    if (registered.immediate || call.held || (registered.unlimited && call.asked === null)) return;
    call.held = true;
    this.#admission.hold(registered.held, call.session.held, call.bytes);
  }

  #finish(call: InboundCall, registered: Registered, result: unknown): void {
    let pending: void | Promise<void>;
    try {
      pending = this.#results.succeed(call, registered, result);
    } catch (error) {
      return this.#fail(call, registered, error);
    }
    if (pending === undefined) return this.#end(call, registered, "succeeded", true);
    this.#await(call, registered, pending, () => this.#end(call, registered, "succeeded", true));
  }

  #fail(call: InboundCall, registered: Registered, thrown: unknown): void {
    const error = readable(thrown);
    if (error instanceof DispatchFailure && !(error instanceof FeatureFailure)) {
      this.#counts.refused++;
      this.#counts.invalid++;
      if (error.code === "OVERLOADED") this.#counts.overloaded++;
    } else this.#counts.failed++;
    const outcome = !call.ran ? "rejected" : call.abandoned ? "cancelled" : "failed";
    if (outcome === "rejected" && call.kind === ResponseKind.fire) registered.counts.dropped++;
    this.#results.fail(call, registered, error);
    this.#end(call, registered, outcome, true, error);
    if (outcome === "failed") askPolicy(this.guard, registered, error, (stopped) => this.#stop(stopped));
  }

  /** Ends a message: frees its places and its room. */
  #end(call: InboundCall, registered: Registered, outcome: Outcome, ran: boolean, error?: unknown): void {
    const { counts } = registered;
    this.parts.deadlines.remove(call);
    counts[outcome]++;
    if (ran) counts.inFlight--;
    if (registered.immediate) return;
    this.parts.observer?.ended(call, registered, outcome, error);
    if (!call.undecided) this.#release(call, registered);
    if (ran) registered.lanes?.ended(call);
    if (call.kind !== ResponseKind.fire || (registered.system && this.#uncredited.delete(call))) return;
    this.#settle(call.session, call.bytes, call);
  }

  #release(call: InboundCall, registered: Registered): void {
    if (!call.held) return;
    call.held = false;
    this.#admission.release(registered.held, call.session.held, call.bytes);
  }

  #settle(session: Session, bytes: number, call: InboundCall | null): void {
    if (session.finish(bytes, call, this.parts.clock)) this.parts.credits.due(session);
  }

  /** Counts a message that ended before it reached a handler. */
  dropped(session: Session, header: RequestHeader, bytes: number): void {
    if (header.usesCredit) this.#settle(session, bytes, null);
  }

  /** Stops a handler after too many failures. */
  #stop(registered: Registered): void {
    const { handler, counts } = registered;
    registered.stopped = `Handler "${handler.name}" was stopped after ${counts.failed} failures`;
    this.parts.logger.error("a handler was stopped", { handler: handler.name, failures: counts.failed });
    for (const call of registered.lanes?.drain() ?? []) {
      this.#waitsNoMore(call, registered);
      if (call.kind !== ResponseKind.fire) this.parts.replies.fail(call, stopped(registered.stopped));
      this.#end(call, registered, "cancelled", false);
    }
    const reason = new ZeromeshError("CANCELLED", registered.stopped, {
      handler: handler.name,
      ran: "maybe",
    });
    for (const call of this.running.all()) {
      if (call.registered === registered && !call.waits) call.abort(reason);
    }
  }
}
