import { hasShare, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { Failure, SystemMessage, SystemPort, SystemSender } from "../messenger/mod.ts";
import {
  completionHandler,
  decodeCompletionRequest,
  decodeEventFrame,
  decodeSubscribe,
  encodeCompletion,
  encodeEventFrame,
  EventFrame,
  EventFrameKind,
  eventFrameSize,
  isEventJson,
  responseIdFromBigInt,
} from "../wire/mod.ts";
import { type EventHandle, handleWords, joinHandle, splitHandle } from "./handle.ts";
import type { ResolvedEventOptions } from "./options.ts";
import {
  completedError,
  type Outcome,
  poisonedError,
  poisonedWith,
  triggered,
  triggeredWithJson,
  unknownError,
} from "./outcome.ts";
import type { OwnEvents } from "./own_events.ts";
import { PeerSubscriptions, type Slot } from "./table.ts";

/** Counters of {@link Subscribers}. */
export interface SubscriberStats {
  /** Current subscriptions of other instances. */
  readonly subscribers: number;
  /** Subscriptions that ended because the instance was gone. */
  readonly vanished: number;
  /** Messages whose sender is not the one they name, or does not own their event. */
  readonly foreign: number;
  /** Messages that cannot be decoded. */
  readonly malformed: number;
  /** Subscriptions and requests for events that this instance never made. */
  readonly unknown: number;
  /** Subscriptions refused at the limit. */
  readonly refused: number;
}

const completionName = new TextEncoder().encode(completionHandler);
const workerMask = (1n << 64n) - 1n;
const plainShutdown = poisonedWith("Event runtime shut down");

/** The other instances that subscribe to, or complete, events of this one. */
export class Subscribers {
  readonly #port: SystemPort;
  readonly #own: OwnEvents;
  readonly #options: ResolvedEventOptions;
  readonly #afterGrace: (run: () => void) => void;
  readonly #byPeer = new Map<InstanceId, PeerSubscriptions>();
  readonly #frame = new EventFrame();
  #count = 0;
  #vanished = 0;
  #foreign = 0;
  #malformed = 0;
  #unknown = 0;
  #refused = 0;

  /**
   * @param own The events.
   * @param afterGrace Runs a function when the time of a lost peer to return is over, unless the events close before.
   */
  constructor(
    port: SystemPort,
    own: OwnEvents,
    options: ResolvedEventOptions,
    afterGrace: (run: () => void) => void,
  ) {
    this.#port = port;
    this.#own = own;
    this.#options = options;
    this.#afterGrace = afterGrace;
  }

  /**
   * Handles `_event_subscribe`: looks the event up and, if it is pending, remembers the subscriber in the same step.
   */
  subscribe(message: SystemMessage): void {
    const sender = this.#read(message);
    if (sender === null) return;
    this.#enter(message, sender, this.#frame.words);
  }

  /** Subscribes the sender of a message to an event. */
  enroll(message: SystemMessage, handle: EventHandle): void {
    const sender = this.#port.senderOf(message);
    if (sender === null) return;
    splitHandle(handle);
    this.#frame.words.set(handleWords);
    this.#enter(message, sender, this.#frame.words);
  }

  #enter(message: SystemMessage, sender: SystemSender, words: Uint32Array): void {
    const slot = this.#own.table.findWords(words);
    if (slot === null) return this.#answerLate(message, sender, words);
    const peer = this.#byPeer.get(sender.instanceId) ?? this.#meet(sender.instanceId);
    if (peer.slots.has(slot)) return;
    const { maxSubscribers } = this.#options;
    if (!hasShare(peer.slots.size, this.#count, maxSubscribers)) {
      this.#refused++;
      const limit =
        `${this.#count} subscriptions are open at its owner, ${peer.slots.size} of them for this instance, ` +
        `which is the limit (maxSubscribers, ${maxSubscribers}) or its share`;
      return this.#refuse(
        message,
        sender,
        words,
        "LIMIT_REACHED",
        `Cannot await event ${slot.handle}: ${limit}`,
      );
    }
    this.#count++;
    peer.slots.add(slot);
    const others = slot.subscribers;
    if (others === null) slot.subscribers = peer;
    else if (others instanceof Set) others.add(peer);
    else slot.subscribers = new Set([others, peer]);
  }

  /** Handles `_event_unsubscribe`. */
  unsubscribe(message: SystemMessage): void {
    const sender = this.#read(message);
    const slot = sender === null ? null : this.#own.table.findWords(this.#frame.words);
    const peer = sender === null ? undefined : this.#byPeer.get(sender.instanceId);
    if (slot !== null && peer !== undefined) this.#drop(slot, peer);
  }

  /** Handles `_event_poll`: returns a completion, or nothing for a pending event. */
  poll(message: SystemMessage): Uint8Array {
    if (this.#read(message) === null) {
      throw new ZeromeshError("PAYLOAD_INVALID", "The message is not about an event of this instance");
    }
    const { words } = this.#frame;
    if (this.#own.table.findWords(words) !== null) return nothing;
    const outcome = this.#own.table.outcomeOfWords(words);
    if (outcome !== null) return encodeOutcome(words, outcome).slice();
    this.#unknown++;
    throw neverMade(joinHandle(words));
  }

  /** Handles `_event_trigger_request`. */
  request(message: SystemMessage): void {
    const sender = this.#port.senderOf(message);
    const { source, payloadStart, payloadEnd } = message.lent;
    if (!isEventJson(source, payloadStart)) {
      const frame = this.#frame;
      if (!decodeEventFrame(source, payloadStart, payloadEnd, frame) || frame.kind < EventFrameKind.trigger) {
        this.#malformed++;
        return;
      }
      if (sender === null || frame.id0 !== sender.worker0 || frame.id1 !== sender.worker1) {
        this.#foreign++;
        return;
      }
      const poisoned = frame.kind === EventFrameKind.poison ? frame.text : null;
      const value = frame.kind === EventFrameKind.triggerValue ? frame.text : undefined;
      const done = this.#complete(frame.words, poisoned, value, true, sender.instanceId, sender.instanceId);
      if ("code" in done) return this.#port.confirm(message, frame, done);
      const asAsked = done.reason === poisoned && done.json === value && poisoned !== "";
      return this.#port.confirm(message, frame, null, asAsked ? nothing : encodeOutcome(frame.words, done));
    }
    this.#requestInJson(message, sender);
  }

  #requestInJson(message: SystemMessage, sender: SystemSender | null): void {
    const request = decodeCompletionRequest(message.lentPayload);
    if (request === null) {
      this.#malformed++;
      return;
    }
    const { responseId } = request;
    // An ack goes to the worker that its id names, which must be the sender.
    const own = responseId === null || (responseId & workerMask) === sender?.workerId;
    if (sender === null || sender.instanceId !== request.instance || !own) {
      this.#foreign++;
      return;
    }
    const { words } = this.#frame;
    splitHandle(request.handle as EventHandle);
    words.set(handleWords);
    const events = message.supports("events");
    const done = this.#complete(words, request.poisoned, undefined, events, sender.instanceId, null);
    const failure = "code" in done ? done : null;
    // Velo sends the requester the completion before the confirmation.
    if (!events && failure?.code !== "EVENT_UNKNOWN") this.#answerLate(message, sender, words);
    if (responseId !== null) this.#port.confirm(message, responseIdFromBigInt(responseId), failure);
  }

  /** Tells each subscriber of a completed event once. */
  completed(slot: Slot, handle: EventHandle, outcome: Outcome): void {
    const { subscribers } = slot;
    if (subscribers === null) return;
    slot.subscribers = null;
    if (!(subscribers instanceof Set)) return this.#tell(slot, handle, outcome, subscribers);
    for (const peer of subscribers) this.#tell(slot, handle, outcome, peer);
  }

  #tell(slot: Slot, handle: EventHandle, outcome: Outcome, peer: PeerSubscriptions): void {
    this.#count--;
    peer.slots.delete(slot);
    splitHandle(handle);
    // A subscriber without connection asks again when it has one, and finds the event complete.
    this.#port.notify(
      completionName,
      peer.id,
      this.#port.supports(peer.id, "events")
        ? encodeOutcome(handleWords, outcome)
        : encodePlain(handle, outcome),
    );
  }

  /** Handles the loss of a connection. Zeromesh instances subscribe again when they return. */
  lost(id: InstanceId, rest: "up" | "down" | "gone"): void {
    const peer = this.#byPeer.get(id);
    if (peer === undefined || rest === "up") return;
    if (peer.slots.size === 0) {
      this.#byPeer.delete(id);
      return;
    }
    if (rest === "gone" || this.#port.isOurs(id)) return this.#forget(peer);
    this.#afterGrace(() => {
      if (!this.#port.hasWay(id)) this.#forget(peer);
    });
  }

  /** Closes: tells plain Velo subscribers; zeromesh instances learn it by the goodbye. */
  close(): void {
    for (const [id, { slots }] of this.#byPeer) {
      if (this.#port.isOurs(id)) continue;
      for (const { handle } of slots) {
        this.#port.notify(completionName, id, encodePlain(handle, plainShutdown));
      }
    }
  }

  /** Counts a message that is malformed or not from the right sender. */
  countBad(what: "malformed" | "foreign"): void {
    if (what === "malformed") this.#malformed++;
    else this.#foreign++;
  }

  stats(): SubscriberStats {
    return {
      subscribers: this.#count,
      vanished: this.#vanished,
      foreign: this.#foreign,
      malformed: this.#malformed,
      unknown: this.#unknown,
      refused: this.#refused,
    };
  }

  /** Decodes a message into {@link #frame}; returns its sender, or null when it is dropped. */
  #read(message: SystemMessage): SystemSender | null {
    const sender = this.#port.senderOf(message);
    const { source, payloadStart, payloadEnd } = message.lent;
    const frame = this.#frame;
    if (!isEventJson(source, payloadStart)) {
      if (decodeEventFrame(source, payloadStart, payloadEnd, frame) && frame.kind === EventFrameKind.about) {
        if (sender === null) this.#foreign++;
        return sender;
      }
      this.#malformed++;
      return null;
    }
    const subscription = decodeSubscribe(message.lentPayload);
    if (subscription === null) {
      this.#malformed++;
      return null;
    }
    if (sender === null || sender.instanceId !== subscription.instance) {
      this.#foreign++;
      return null;
    }
    splitHandle(subscription.handle as EventHandle);
    frame.words.set(handleWords);
    return sender;
  }

  /**
   * @param by The instance that requests it.
   * @param confirmed The subscriber that the confirmation tells.
   */
  #complete(
    words: Uint32Array,
    poisoned: string | null,
    value: string | undefined,
    ours: boolean,
    by: InstanceId,
    confirmed: InstanceId | null,
  ): Failure | Outcome {
    const { table } = this.#own;
    const slot = table.findWords(words);
    try {
      if (slot !== null) {
        const asked = this.#outcomeFor(poisoned, value);
        const peer = slot.subscribers === null || confirmed === null
          ? undefined
          : this.#byPeer.get(confirmed);
        if (peer !== undefined) this.#drop(slot, peer);
        this.#own.complete(slot, asked, by);
        return asked;
      }
      const outcome = table.outcomeOfWords(words);
      if (outcome === null) {
        this.#unknown++;
        throw neverMade(joinHandle(words));
      }
      const handle = joinHandle(words);
      if (poisoned === null && outcome.reason !== null) throw poisonedError(handle, outcome.reason);
      // Velo confirms the poisoning of a triggered event without an effect.
      if (poisoned !== null && outcome.reason === null && ours) throw completedError(handle);
      return outcome;
    } catch (error) {
      if (!(error instanceof ZeromeshError)) throw error;
      const words = {
        text: error.code === "EVENT_POISONED" ? "event was poisoned" : error.message,
        nack: false,
      };
      return { code: error.code, message: error.message, data: error.details, words };
    }
  }

  #outcomeFor(poisoned: string | null, value: string | undefined): Outcome {
    if (poisoned !== null) return poisonedWith(poisoned);
    if (value === undefined) return triggered;
    return triggeredWithJson(value, this.#options.maxValueBytes);
  }

  /** Sends the completion of an event that is complete already. */
  #answerLate(message: SystemMessage, sender: SystemSender, words: Uint32Array): void {
    const events = message.supports("events");
    const outcome = this.#own.table.outcomeOfWords(words);
    if (outcome !== null) {
      const payload = events ? encodeOutcome(words, outcome) : encodePlain(joinHandle(words), outcome);
      this.#port.notify(completionName, sender.instanceId, payload);
      return;
    }
    this.#unknown++;
    const { code, message: why } = neverMade(joinHandle(words));
    this.#refuse(message, sender, words, code, why);
  }

  #refuse(message: SystemMessage, sender: SystemSender, words: Uint32Array, code: string, why: string): void {
    // Plain Velo would read the message as a completion of this and all earlier generations.
    if (!message.supports("events")) return;
    const payload = encodeEventFrame(EventFrameKind.refused, words, `${code}\n${why}`, head);
    this.#port.notify(completionName, sender.instanceId, payload);
  }

  #meet(id: InstanceId): PeerSubscriptions {
    const peer = new PeerSubscriptions(id);
    this.#byPeer.set(id, peer);
    return peer;
  }

  #drop(slot: Slot, peer: PeerSubscriptions): void {
    if (!peer.slots.delete(slot)) return;
    this.#count--;
    const { subscribers } = slot;
    if (subscribers === peer) slot.subscribers = null;
    else if (subscribers instanceof Set) subscribers.delete(peer);
  }

  #forget(peer: PeerSubscriptions): void {
    this.#vanished += peer.slots.size;
    for (const slot of [...peer.slots]) this.#drop(slot, peer);
    this.#byPeer.delete(peer.id);
  }
}

const nothing = new Uint8Array(new ArrayBuffer(0));
const head = new Uint8Array(eventFrameSize);

function neverMade(handle: EventHandle): ZeromeshError {
  return unknownError(handle, "its owner never made it");
}

/** A completion for zeromesh instances. The result is valid until the next call. */
function encodeOutcome(words: Uint32Array, { reason, json }: Outcome): Uint8Array {
  if (reason !== null) {
    // An empty reason would look like no reason.
    return encodeEventFrame(EventFrameKind.poisoned, words, reason === "" ? "poisoned" : reason, head);
  }
  const kind = json === undefined ? EventFrameKind.triggered : EventFrameKind.value;
  return encodeEventFrame(kind, words, json ?? "", head);
}

function encodePlain(handle: EventHandle, outcome: Outcome): Uint8Array {
  return encodeCompletion({ handle, poisoned: outcome.reason });
}
