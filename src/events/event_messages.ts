import { type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { SystemMessage, SystemPort, SystemSender } from "../messenger/mod.ts";
import {
  completionHandler,
  completionRequestHandler,
  decodeCompletion,
  decodeEventFrame,
  encodeCompletionRequest,
  encodeEventFrame,
  encodeEventRequest,
  encodeSubscribe,
  EventFrame,
  EventFrameKind,
  eventFrameSize,
  eventRequestSize,
  isEventJson,
  type ResponseId,
  responseIdToBigInt,
  subscribeHandler,
  unsubscribeHandler,
} from "../wire/mod.ts";
import { type EventHandle, handleWords, joinHandle, splitHandle } from "./handle.ts";
import type { ResolvedEventOptions } from "./options.ts";
import {
  type EventStatus,
  type Outcome,
  poisonedError,
  poisonedWith,
  statusOf,
  triggered,
  triggeredWithJson,
} from "./outcome.ts";
import type { OwnEvents } from "./own_events.ts";
import type { RemoteEvents } from "./remote_events.ts";
import type { Subscribers } from "./subscribers.ts";

/** Options of a call about an event of another instance. */
export interface EventCallOptions {
  /** Deadline in milliseconds. @default {the messenger's timeoutMs, 30_000} */
  timeoutMs?: number | undefined;
  /** Gives up; the promise rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** Handler that answers the state of an event; zeromesh instances only. */
export const pollHandler = "_event_poll";

/** The messages about events between instances. */
export class EventMessages {
  readonly #port: SystemPort;
  readonly #remote: RemoteEvents;
  readonly #subscribers: Subscribers;
  readonly #options: ResolvedEventOptions;
  readonly #frame = new EventFrame();

  /** @param remote The events of other instances that this one knows. */
  constructor(
    port: SystemPort,
    remote: RemoteEvents,
    subscribers: Subscribers,
    options: ResolvedEventOptions,
  ) {
    this.#port = port;
    this.#remote = remote;
    this.#subscribers = subscribers;
    this.#options = options;
  }

  /** Handles another instance's message for one of {@link eventHandlers}. */
  receive(name: string, message: SystemMessage): Uint8Array | undefined {
    switch (name) {
      case subscribeHandler:
        this.#subscribers.subscribe(message);
        return undefined;
      case unsubscribeHandler:
        this.#subscribers.unsubscribe(message);
        return undefined;
      case completionRequestHandler:
        this.#subscribers.request(message);
        return undefined;
      case pollHandler:
        return this.#subscribers.poll(message);
      default:
        this.#completion(message);
        return undefined;
    }
  }

  /** Asks the owner to trigger or poison its event. */
  complete(handle: EventHandle, outcome: Outcome, options: EventCallOptions): Promise<void> {
    const port = this.#port;
    const owner = this.#remote.ownerOf(handle);
    if (owner === null || !port.isUp(owner)) return this.#completeLater(owner, handle, outcome, options);
    if (port.supports(owner, "events")) {
      return this.#completeOurs(owner, handle, outcome, options);
    }
    const encode = (id: ResponseId) =>
      encodeCompletionRequest({
        handle,
        worker: port.workerId,
        instance: port.instanceId,
        poisoned: outcome.reason,
        responseId: responseIdToBigInt(id),
      });
    return port.confirmed(completionRequestHandler, owner, encode, options).catch((error: unknown) => {
      throw translated(error, handle);
    });
  }

  /** The confirmation of a zeromesh owner says how the event ended; no completion follows. */
  #completeOurs(
    owner: InstanceId,
    handle: EventHandle,
    outcome: Outcome,
    options: EventCallOptions,
  ): Promise<void> {
    const remote = this.#remote;
    const covered = remote.cover(handle);
    const encode = (id: ResponseId) => encodeRequest(handle, outcome, id);
    const accept = ({ payload }: { readonly payload: Uint8Array }) => {
      if (covered === null || covered.ended) return;
      splitHandle(handle);
      // An empty confirmation means that the event ended as requested.
      remote.complete(owner, handleWords, payload.length === 0 ? outcome : this.#confirmedOutcome(payload));
    };
    const confirmed = this.#port.confirmed(completionRequestHandler, owner, encode, options, accept);
    if (covered !== null) confirmed.catch(() => remote.uncover(covered));
    return confirmed;
  }

  #confirmedOutcome(payload: Uint8Array): Outcome {
    const frame = new EventFrame();
    const found = decodeEventFrame(payload, 0, payload.length, frame) ? this.#outcomeOf(frame) : null;
    if (found !== null) return found;
    throw new ZeromeshError("RESULT_INVALID", "The confirmation of the event's owner cannot be read");
  }

  async #completeLater(
    known: InstanceId | null,
    handle: EventHandle,
    outcome: Outcome,
    options: EventCallOptions,
  ): Promise<void> {
    await this.#reachOwner(known, handle, options);
    await this.complete(handle, outcome, options);
  }

  /** Connects to an event's owner; discovery finds it if necessary. */
  async #reachOwner(
    known: InstanceId | null,
    handle: EventHandle,
    { signal, timeoutMs = this.#options.ownerGraceMs }: EventCallOptions,
  ): Promise<InstanceId> {
    const owner = known ?? await this.#remote.seek(handle, { signal, timeoutMs });
    await this.#port.reach(owner, timeoutMs);
    return owner;
  }

  /** Asks for the state of an event. */
  async poll(handle: EventHandle, options: EventCallOptions): Promise<EventStatus> {
    const outcome = this.#remote.known(handle);
    if (outcome !== undefined) return statusOf(outcome);
    let owner = this.#remote.ownerOf(handle);
    if (owner === null || !this.#port.isUp(owner)) owner = await this.#reachOwner(owner, handle, options);
    if (this.#port.supports(owner, "events")) {
      splitHandle(handle);
      const question = encodeEventFrame(
        EventFrameKind.about,
        handleWords,
        "",
        new Uint8Array(eventFrameSize),
      );
      const answer = await this.#port.call(pollHandler, owner, question, options);
      if (answer.length === 0) return { status: "pending" };
      const frame = new EventFrame();
      const found = decodeEventFrame(answer, 0, answer.length, frame) ? this.#outcomeOf(frame) : null;
      if (found === null || joinHandle(frame.words) !== handle) {
        throw new ZeromeshError(
          "RESULT_INVALID",
          `The answer of peer ${this.#port.textOf(owner)} about event ${handle} cannot be read`,
          { peer: owner },
        );
      }
      this.#remote.complete(owner, frame.words, found);
      return statusOf(found);
    }
    const { workerId: worker, instanceId: instance } = this.#port;
    const payload = encodeSubscribe({ handle, worker, instance });
    // Plain Velo has no such message, but a subscriber of a complete event is told at once.
    await this.#port.sync(subscribeHandler, owner, payload, options);
    const told = this.#remote.known(handle);
    return told === undefined ? { status: "pending" } : statusOf(told);
  }

  #completion(message: SystemMessage): void {
    const sender = this.#port.senderOf(message);
    const frame = this.#frame;
    const { source, payloadStart, payloadEnd } = message.lent;
    let outcome: Outcome | null = null;
    if (isEventJson(source, payloadStart)) {
      const completion = decodeCompletion(message.lentPayload);
      if (completion !== null) {
        splitHandle(completion.handle as EventHandle);
        frame.words.set(handleWords);
        outcome = completion.poisoned === null ? triggered : poisonedWith(completion.poisoned);
      }
    } else if (decodeEventFrame(source, payloadStart, payloadEnd, frame)) {
      if (frame.kind === EventFrameKind.refused) return this.#refused(sender, frame);
      outcome = this.#outcomeOf(frame);
    }
    if (outcome === null) return this.#subscribers.countBad("malformed");
    if (!isOwner(sender, frame)) return this.#subscribers.countBad("foreign");
    this.#remote.complete(sender.instanceId, frame.words, outcome);
  }

  #refused(sender: SystemSender | null, frame: EventFrame): void {
    if (!isOwner(sender, frame)) return this.#subscribers.countBad("foreign");
    const end = frame.text.indexOf("\n");
    if (end < 1) return this.#subscribers.countBad("malformed");
    this.#remote.refuse(
      sender.instanceId,
      frame.words,
      frame.text.slice(0, end),
      frame.text.slice(end + 1),
    );
  }

  /** The outcome in a frame; null when it holds none. */
  #outcomeOf(frame: EventFrame): Outcome | null {
    switch (frame.kind) {
      case EventFrameKind.triggered:
        return triggered;
      case EventFrameKind.poisoned:
        return poisonedWith(frame.text);
      case EventFrameKind.value:
        // A value above this instance's limit is dropped; the event is complete nevertheless.
        if (frame.text.length > this.#options.maxValueBytes) return triggered;
        try {
          return triggeredWithJson(frame.text, Infinity);
        } catch {
          return null;
        }
      default:
        return null;
    }
  }
}

/** Only the owner knows whether its event is complete. */
function isOwner(sender: SystemSender | null, { words }: EventFrame): sender is SystemSender {
  return sender !== null && sender.worker0 === words[2] && sender.worker1 === words[3];
}

const requestBytes = new Uint8Array(eventRequestSize);

/** The result is valid until the next call. */
function encodeRequest(handle: EventHandle, { reason, json }: Outcome, id: ResponseId): Uint8Array {
  splitHandle(handle);
  if (reason !== null) {
    return encodeEventRequest(EventFrameKind.poison, handleWords, id, reason, requestBytes);
  }
  const kind = json === undefined ? EventFrameKind.trigger : EventFrameKind.triggerValue;
  return encodeEventRequest(kind, handleWords, id, json ?? "", requestBytes);
}

/** Gives an error text of plain Velo its code. */
function translated(error: unknown, handle: EventHandle): unknown {
  if (!(error instanceof ZeromeshError) || error.code !== "REMOTE_ERROR") return error;
  return /poisoned/.test(error.message) ? poisonedError(handle, error.message) : error;
}

/** The parts of a manager that follow the connections. */
export interface ConnectionListeners {
  /** Events of other instances. */
  readonly remote: RemoteEvents;
  /** Subscriptions of other instances. */
  readonly subscribers: Subscribers;
  /** Events of this instance. */
  readonly own: OwnEvents;
  /** Called for lost connections, too. */
  lost(peer: InstanceId, rest: "up" | "down" | "gone"): void;
  /** Closes the other parts. */
  close(): void;
}

/** Reports connections to a manager's parts until its messenger closes. */
export function listen(port: SystemPort, parts: ConnectionListeners): void {
  const { remote, subscribers, own } = parts;
  port.watch({
    up: (peer: InstanceId) => remote.up(peer),
    lost: (peer, rest) => {
      remote.lost(peer, rest);
      subscribers.lost(peer, rest);
      parts.lost(peer, rest);
    },
    closing: () => {
      const closed = new ZeromeshError("CLOSED", "This instance closed while the event was awaited");
      subscribers.close();
      remote.close(closed);
      own.close(closed);
      parts.close();
    },
  });
}

/** The system handlers of events. */
export const eventHandlers: readonly { readonly name: string; readonly kind: "am" | "unary" }[] = [
  { name: subscribeHandler, kind: "am" },
  { name: completionHandler, kind: "am" },
  { name: completionRequestHandler, kind: "am" },
  { name: unsubscribeHandler, kind: "am" },
  { name: pollHandler, kind: "unary" },
];
