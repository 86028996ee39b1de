import { type CancelTimer, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { SystemPort } from "../messenger/mod.ts";
import type { EventHandle } from "./handle.ts";
import { Waiting } from "./waiting.ts";

/** The subscription to an event of another instance, shared by all awaiters. */
export class Subscription extends Waiting {
  readonly handle: EventHandle;
  readonly index: number;
  readonly generation: number;
  /** The owner of the event. */
  readonly owner: RemoteOwner;
  /** Another awaited generation of the same index. */
  next: Subscription | null = null;
  /** Whether the owner was asked at least once. */
  asked = false;
  /** Whether there are no awaiters left. */
  ended = false;
  /** Whether a request of this instance completes it; the confirmation will hold the outcome. */
  covered = false;

  constructor(handle: EventHandle, index: number, generation: number, owner: RemoteOwner) {
    super();
    this.handle = handle;
    this.index = index;
    this.generation = generation;
    this.owner = owner;
  }
}

// libzmq answers even while JavaScript is busy. No refused connection and no ZMTP for this long means that the process
// is frozen or cut off; the heartbeats had waited before the connection was given up.
const silentMs = 1_000;

/** The messenger's side of a {@link RemoteOwner}. */
export interface OwnerHost {
  readonly port: SystemPort;
  /** Time that a lost owner may stay away, in milliseconds. */
  readonly graceMs: number;
  /** Sends a subscription to the owner. */
  subscribe(subscription: Subscription): void;
  /** The owner is gone: its subscriptions end with the error. */
  ownerLost(owner: RemoteOwner, error: (subscription: Subscription) => ZeromeshError): void;
}

/** An instance with awaited events: connected, or away within the grace time. */
export class RemoteOwner {
  readonly id: InstanceId;
  /** Low half of its worker id. */
  readonly worker0: number;
  /** High half of its worker id. */
  readonly worker1: number;
  readonly #byIndex = new Map<number, Subscription>();
  readonly #host: OwnerHost;
  #cancel: CancelTimer | null = null;

  constructor(id: InstanceId, worker0: number, worker1: number, host: OwnerHost) {
    this.id = id;
    this.worker0 = worker0;
    this.worker1 = worker1;
    this.#host = host;
  }

  /** Whether it has no subscriptions. */
  get idle(): boolean {
    return this.#byIndex.size === 0;
  }

  /** All subscriptions. */
  subscriptions(): Subscription[] {
    const all: Subscription[] = [];
    for (const first of this.#byIndex.values()) {
      for (let one: Subscription | null = first; one !== null; one = one.next) all.push(one);
    }
    return all;
  }

  /** The first subscription of an index; the others follow it. */
  first(index: number): Subscription | undefined {
    return this.#byIndex.get(index);
  }

  find(index: number, generation: number): Subscription | null {
    let one = this.#byIndex.get(index) ?? null;
    while (one !== null && one.generation !== generation) one = one.next;
    return one;
  }

  /** Removes a subscription. Returns false when it is not in. */
  remove(subscription: Subscription): boolean {
    const { index } = subscription;
    const first = this.#byIndex.get(index);
    if (first === undefined) return false;
    if (first === subscription) {
      if (first.next === null) this.#byIndex.delete(index);
      else this.#byIndex.set(index, first.next);
    } else {
      let before = first;
      while (before.next !== subscription) {
        if (before.next === null) return false;
        before = before.next;
      }
      before.next = subscription.next;
    }
    subscription.next = null;
    subscription.ended = true;
    return true;
  }

  enter(subscription: Subscription): void {
    subscription.next = this.#byIndex.get(subscription.index) ?? null;
    this.#byIndex.set(subscription.index, subscription);
  }

  /** Whether its return is awaited. */
  get away(): boolean {
    return this.#cancel !== null;
  }

  /** Sends a subscription if the owner is connected. */
  ask(subscription: Subscription): void {
    // It may have lost its awaiters before this call.
    if (subscription.ended) return;
    if (this.away) return;
    if (this.#host.port.isUp(this.id)) this.#host.subscribe(subscription);
    else this.leave();
  }

  /** Handles the loss of its connection: dials it, and gives it up after the grace time. */
  leave(): void {
    if (this.away) return;
    const { port, graceMs } = this.#host;
    let cause: unknown;
    const until = port.clock.now() + graceMs;
    const look = (): void => {
      const left = until - port.clock.now();
      if (left <= 0) return this.lose(`it is away for more than ${graceMs} ms`, cause);
      const toSilence = silentMs - port.unansweredMs(this.id);
      if (toSilence <= 0) return this.lose("its process is frozen, or nothing reaches it", cause);
      this.#cancel = port.clock.after(Math.min(left, toSilence), look);
    };
    this.#cancel = port.clock.after(Math.min(graceMs, silentMs), look);
    port.reach(this.id, graceMs).then(() => this.comeBack(), (error: unknown) => {
      cause = error;
      if (!(error instanceof ZeromeshError) || !finalCodes.has(error.code) || !this.away) return;
      this.lose(
        error.code === "PEER_REPLACED" ? "another instance has taken its place" : error.message,
        error,
      );
    });
  }

  /** Handles its return: sends all subscriptions again. */
  comeBack(): void {
    if (!this.away) return;
    this.stop();
    this.renew();
  }

  /** Sends all subscriptions again: messages may be lost, and events may have completed in the meantime. */
  renew(): void {
    // In a microtask, because the answer to its hello goes first.
    queueMicrotask(() => {
      if (this.away || this.idle) return;
      if (!this.#host.port.isUp(this.id)) return this.leave();
      for (const subscription of this.subscriptions()) this.#host.subscribe(subscription);
    });
  }

  /** Gives it up. */
  lose(why: string, cause?: unknown): void {
    this.stop();
    this.#host.ownerLost(
      this,
      ({ handle }) =>
        new ZeromeshError(
          "EVENT_OWNER_LOST",
          `Event ${handle} will never complete: its owner ${this.#host.port.textOf(this.id)} is lost, ${why}`,
          {
            peer: this.id,
            details: { handle: String(handle) },
            ...(cause === undefined ? {} : { cause }),
          },
        ),
    );
  }

  /** Stops waiting for its return. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

// Dialling that ended with one of these was answered: by another instance, or with a refusal.
const finalCodes: ReadonlySet<string> = new Set(["PEER_REPLACED", "PEER_UNKNOWN", "FORBIDDEN", "CLOSED"]);
