import { LRUCache } from "lru-cache";
import { type Deadlines, type InstanceId, ZeromeshError } from "../core/mod.ts";
import { elapsedMs, type PartOfCall, type SystemPort } from "../messenger/mod.ts";
import {
  encodeEventFrame,
  encodeSubscribe,
  EventFrameKind,
  eventFrameSize,
  subscribeHandler,
  unsubscribeHandler,
} from "../wire/mod.ts";
import { type EventHandle, handleWords, joinHandle, splitHandle } from "./handle.ts";
import type { ResolvedEventOptions } from "./options.ts";
import { type Outcome, poisonedError, triggered } from "./outcome.ts";
import { SubscriptionBatch } from "./subscription_batch.ts";
import { OwnerSearches } from "./owner_searches.ts";
import { type OwnerHost, RemoteOwner, Subscription } from "./remote_owner.ts";
import type { AwaiterOptions } from "./waiting.ts";

/** Counters of {@link RemoteEvents}. */
export interface RemoteStats {
  /** Awaited events. */
  readonly subscriptions: number;
  /** Remembered completed events. */
  readonly completed: number;
  /** Awaiters that found a remembered outcome. */
  readonly cacheHits: number;
  /** Awaiters that joined an existing subscription. */
  readonly activeHits: number;
  /** Awaiters that needed a subscription. */
  readonly networkLookups: number;
  /** Subscriptions repeated after the loss of a connection. */
  readonly renewed: number;
  /** Events completed because a later event of the same index is complete. */
  readonly implied: number;
  /** Completions without awaiters: repeated, late, or of events that were given up. */
  readonly unasked: number;
  /** Awaited events that ended with `EVENT_OWNER_LOST`. */
  readonly ownerLost: number;
}

const encoder = new TextEncoder();
const subscribeName = encoder.encode(subscribeHandler);
const unsubscribeName = encoder.encode(unsubscribeHandler);

/**
 * Events of other instances. Awaiting one looks first among remembered outcomes, then among subscriptions, and then
 * asks the owner.
 */
export class RemoteEvents implements OwnerHost {
  readonly port: SystemPort;
  readonly graceMs: number;
  readonly #options: ResolvedEventOptions;
  readonly #deadlines: Deadlines;
  readonly #awaited: (change: 1 | -1) => void;
  readonly #completed: LRUCache<EventHandle, Outcome>;
  readonly #owners = new Map<InstanceId, RemoteOwner>();
  readonly #searches: OwnerSearches;
  readonly #batch: SubscriptionBatch;
  #ended: ZeromeshError | null = null;
  #last: RemoteOwner | null = null;
  #count = 0;
  #cacheHits = 0;
  #activeHits = 0;
  #networkLookups = 0;
  #renewed = 0;
  #implied = 0;
  #unasked = 0;
  #ownerLost = 0;

  /** @param awaited Called when the number of awaited events changes. */
  constructor(
    port: SystemPort,
    options: ResolvedEventOptions,
    deadlines: Deadlines,
    awaited: (change: 1 | -1) => void,
  ) {
    this.port = port;
    this.graceMs = options.ownerGraceMs;
    this.#options = options;
    this.#deadlines = deadlines;
    this.#awaited = awaited;
    this.#completed = new LRUCache({ max: options.maxCompleted });
    this.#searches = new OwnerSearches(port, deadlines, options.maxSubscriptions);
    this.#batch = new SubscriptionBatch(port);
  }

  /** The remembered outcome of an event. */
  known(handle: EventHandle): Outcome | undefined {
    return this.#completed.get(handle);
  }

  /** The owner of an event, if it is a known peer. */
  ownerOf(handle: EventHandle): InstanceId | null {
    splitHandle(handle);
    return this.port.peerOf(handleWords[2]!, handleWords[3]!);
  }

  /** Finds an unknown owner. @throws {ZeromeshError} See {@link OwnerSearches.find}. */
  async seek(handle: EventHandle, options: AwaiterOptions): Promise<InstanceId> {
    if (this.#ended !== null) throw this.#ended;
    this.#awaited(1);
    try {
      return await this.#searches.find(handle, options);
    } finally {
      this.#awaited(-1);
    }
  }

  /** Waits for an event. */
  await(handle: EventHandle, options: AwaiterOptions | undefined): Promise<unknown> {
    const outcome = this.known(handle);
    if (outcome !== undefined) {
      this.#cacheHits++;
      if (outcome.reason !== null) return Promise.reject(poisonedError(handle, outcome.reason));
      return Promise.resolve(outcome.value);
    }
    splitHandle(handle);
    const generation = handleWords[0]!;
    const index = handleWords[1]!;
    let owner = this.#ownerByWords(handleWords);
    let subscription = owner?.find(index, generation) ?? null;
    const fresh = subscription === null;
    if (subscription === null) {
      try {
        if (owner === null) {
          const id = this.ownerOf(handle);
          if (id === null) return this.#awaitFound(handle, options ?? {});
          owner = this.#meet(id);
        }
        subscription = this.#open(owner, handle, index, generation);
      } catch (error) {
        return Promise.reject(error);
      }
    } else this.#activeHits++;
    const found = subscription;
    const unconditional = options?.signal === undefined && (options?.timeoutMs ?? Infinity) === Infinity;
    const promise = unconditional
      ? found.promise()
      : found.conditional(handle, options ?? {}, this.#deadlines, () => this.#giveUp(found));
    if (!fresh) return promise;
    if (this.port.supports(found.owner.id, "events")) this.#batch.add(found);
    else found.owner.ask(found);
    return promise;
  }

  /** Handles a completion from the owner. It completes all earlier events of the index, too. */
  complete(from: InstanceId, words: Uint32Array, outcome: Outcome): void {
    const owner = this.#owners.get(from);
    const generation = words[0]!;
    let one: Subscription | null = owner?.first(words[1]!) ?? null;
    this.#completed.set(owner?.find(words[1]!, generation)?.handle ?? joinHandle(words), outcome);
    if (one === null) this.#unasked++;
    while (one !== null) {
      const { next } = one;
      if (one.generation === generation) this.#settle(one, outcome);
      else if (one.generation < generation) {
        this.#implied++;
        this.#completed.set(one.handle, triggered);
        this.#settle(one, triggered);
      }
      one = next;
    }
  }

  /** Marks a subscription whose event a request of this instance completes: the confirmation will hold its outcome. */
  cover(handle: EventHandle): Subscription | null {
    splitHandle(handle);
    const subscription = this.#ownerByWords(handleWords)?.find(handleWords[1]!, handleWords[0]!) ?? null;
    if (subscription !== null) subscription.covered = true;
    return subscription;
  }

  /** Clears that mark after the request failed: its effect is unknown, so the owner is asked. */
  uncover(subscription: Subscription): void {
    subscription.covered = false;
    if (!subscription.ended) subscription.owner.ask(subscription);
  }

  /** Handles the owner's refusal of a subscription. */
  refuse(from: InstanceId, words: Uint32Array, code: string, why: string): void {
    const subscription = this.#owners.get(from)?.find(words[1]!, words[0]!) ?? null;
    if (subscription === null) {
      this.#unasked++;
      return;
    }
    this.#remove(subscription);
    const details = { handle: String(subscription.handle) };
    subscription.fail(new ZeromeshError(code, why, { peer: from, details }));
  }

  /** Handles a new connection. */
  up(id: InstanceId): void {
    this.#owners.get(id)?.comeBack();
  }

  /** Handles the loss of a connection. */
  lost(id: InstanceId, rest: "up" | "down" | "gone"): void {
    const owner = this.#owners.get(id);
    if (owner === undefined) return;
    if (owner.idle) this.#drop(owner);
    else if (rest === "up") owner.renew();
    else if (rest === "down") owner.leave();
    else owner.lose("it shut down or was disconnected");
  }

  /** Fails all awaiters. */
  close(error: ZeromeshError): void {
    this.#ended ??= error;
    this.#searches.close(error);
    for (const owner of [...this.#owners.values()]) {
      owner.stop();
      this.#end(owner, () => error);
    }
    this.#completed.clear();
  }

  stats(): RemoteStats {
    return {
      subscriptions: this.#count,
      completed: this.#completed.size,
      cacheHits: this.#cacheHits,
      activeHits: this.#activeHits,
      networkLookups: this.#networkLookups,
      renewed: this.#renewed,
      implied: this.#implied,
      unasked: this.#unasked,
      ownerLost: this.#ownerLost,
    };
  }

  subscribe(subscription: Subscription): void {
    if (subscription.asked) this.#renewed++;
    subscription.asked = true;
    this.#say(subscribeName, subscription);
  }

  ownerLost(owner: RemoteOwner, error: (subscription: Subscription) => ZeromeshError): void {
    this.#ownerLost += owner.subscriptions().length;
    this.#end(owner, error);
  }

  #end(owner: RemoteOwner, error: (subscription: Subscription) => ZeromeshError): void {
    this.#drop(owner);
    for (const subscription of owner.subscriptions()) {
      this.#remove(subscription);
      subscription.fail(error(subscription));
    }
  }

  #ownerByWords(words: Uint32Array): RemoteOwner | null {
    const last = this.#last;
    if (last !== null && last.worker0 === words[2] && last.worker1 === words[3]) return last;
    const id = this.port.peerOf(words[2]!, words[3]!);
    const owner = id === null ? undefined : this.#owners.get(id);
    if (owner === undefined) return null;
    return this.#last = owner;
  }

  /** Awaits an event whose owner discovery must find first. */
  async #awaitFound(handle: EventHandle, options: AwaiterOptions): Promise<unknown> {
    const started = this.port.clock.now();
    await this.seek(handle, options);
    const part: PartOfCall = { [elapsedMs]: this.port.clock.now() - started };
    return await this.await(handle, { ...options, ...part });
  }

  /** Adds an owner; the words of its event are those split last. */
  #meet(id: InstanceId): RemoteOwner {
    if (this.#ended !== null) throw this.#ended;
    const owner = new RemoteOwner(id, handleWords[2]!, handleWords[3]!, this);
    this.#owners.set(id, owner);
    return this.#last = owner;
  }

  #drop(owner: RemoteOwner): void {
    this.#owners.delete(owner.id);
    if (this.#last === owner) this.#last = null;
  }

  #open(owner: RemoteOwner, handle: EventHandle, index: number, generation: number): Subscription {
    if (this.#ended !== null) throw this.#ended;
    if (this.#count >= this.#options.maxSubscriptions) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot await event ${handle}: ${this.#count} events of other instances are awaited, which is the limit ` +
          "(maxSubscriptions)",
        { peer: owner.id },
      );
    }
    const subscription = new Subscription(handle, index, generation, owner);
    owner.enter(subscription);
    this.#networkLookups++;
    this.#count++;
    this.#awaited(1);
    return subscription;
  }

  /** Ends a subscription without awaiters: the owner need not send the completion. */
  #giveUp(subscription: Subscription): void {
    const { owner } = subscription;
    this.#remove(subscription);
    if (owner.idle) owner.stop();
    if (subscription.asked && this.port.supports(owner.id, "events")) {
      this.#say(unsubscribeName, subscription);
    }
  }

  #settle(subscription: Subscription, outcome: Outcome): void {
    this.#remove(subscription);
    subscription.settle(subscription.handle, outcome);
  }

  #remove(subscription: Subscription): void {
    if (!subscription.owner.remove(subscription)) return;
    this.#count--;
    this.#awaited(-1);
  }

  #say(name: Uint8Array, { handle, owner }: Subscription): void {
    const { port } = this;
    if (!port.supports(owner.id, "events")) {
      port.notify(
        name,
        owner.id,
        encodeSubscribe({ handle, worker: port.workerId, instance: port.instanceId }),
      );
      return;
    }
    splitHandle(handle);
    port.notify(name, owner.id, encodeEventFrame(EventFrameKind.about, handleWords, "", head));
  }
}

const head = new Uint8Array(eventFrameSize);
