import { type CancelTimer, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { SystemPort } from "../messenger/mod.ts";
import type { EventHandle } from "./handle.ts";
import { Waiting } from "./waiting.ts";

/** An event of another instance that is awaited here, for all who do. */
export class Subscription extends Waiting {
  /** The event. */
  readonly handle: EventHandle;
  /** Its index. */
  readonly index: number;
  /** Its generation. */
  readonly generation: number;
  /** Whose it is. */
  readonly owner: RemoteOwner;
  /** Another generation of its index that is awaited. */
  next: Subscription | null = null;
  /** Whether the owner was asked at least once. */
  asked = false;
  /** Whether nobody waits any more. */
  ended = false;
  /** Whether a request to complete it is under way, whose confirmation tells how it ended. */
  covered = false;

  /** @param owner Whose event it is. */
  constructor(handle: EventHandle, index: number, generation: number, owner: RemoteOwner) {
    super();
    this.handle = handle;
    this.index = index;
    this.generation = generation;
    this.owner = owner;
  }
}

// libzmq answers also where JavaScript is busy. Where nobody refuses a connection and no ZMTP comes for so long, the
// process is frozen or cut off, and was before the connection was given up: the heartbeats have waited already.
const silentMs = 1_000;

/** What a {@link RemoteOwner} needs. */
export interface OwnerHost {
  /** The messenger. */
  readonly port: SystemPort;
  /** How long a lost owner may stay away, in milliseconds. */
  readonly graceMs: number;
  /** Asks the owner to tell of an event. */
  subscribe(subscription: Subscription): void;
  /** The owner is gone: whatever is awaited of it ends with the error. */
  ownerLost(owner: RemoteOwner, error: (subscription: Subscription) => ZeromeshError): void;
}

/** An instance whose events are awaited here: present, or away for as long as the grace lasts. */
export class RemoteOwner {
  /** Who it is. */
  readonly id: InstanceId;
  /** Low half of its worker id. */
  readonly worker0: number;
  /** High half of its worker id. */
  readonly worker1: number;
  readonly #byIndex = new Map<number, Subscription>();
  readonly #host: OwnerHost;
  #cancel: CancelTimer | null = null;

  /** @param id Who it is. */
  constructor(id: InstanceId, worker0: number, worker1: number, host: OwnerHost) {
    this.id = id;
    this.worker0 = worker0;
    this.worker1 = worker1;
    this.#host = host;
  }

  /** Whether none of its events is awaited. */
  get idle(): boolean {
    return this.#byIndex.size === 0;
  }

  /** All its events that are awaited. */
  subscriptions(): Subscription[] {
    const all: Subscription[] = [];
    for (const first of this.#byIndex.values()) {
      for (let one: Subscription | null = first; one !== null; one = one.next) all.push(one);
    }
    return all;
  }

  /** The first event of an index that is awaited; the others follow it. */
  first(index: number): Subscription | undefined {
    return this.#byIndex.get(index);
  }

  /** An event that is awaited. */
  find(index: number, generation: number): Subscription | null {
    let one = this.#byIndex.get(index) ?? null;
    while (one !== null && one.generation !== generation) one = one.next;
    return one;
  }

  /** Takes an event out. False when it is not in. */
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

  /** Puts an event in. */
  enter(subscription: Subscription): void {
    subscription.next = this.#byIndex.get(subscription.index) ?? null;
    this.#byIndex.set(subscription.index, subscription);
  }

  /** Whether it is waited for. */
  get away(): boolean {
    return this.#cancel !== null;
  }

  /** Asks for an event, if the owner is there. */
  ask(subscription: Subscription): void {
    // One that was given up before it began.
    if (subscription.ended) return;
    if (this.away) return;
    if (this.#host.port.isUp(this.id)) this.#host.subscribe(subscription);
    else this.leave();
  }

  /** It has no connection: it is dialled, and given up when the grace is over. */
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

  /** It has a connection again: everything awaited is asked for anew. */
  comeBack(): void {
    if (!this.away) return;
    this.stop();
    this.renew();
  }

  /** Asks for everything again: what was on its way may be lost, and what happened meanwhile is told. */
  renew(): void {
    // A moment later: the answer to its hello goes before everything else.
    queueMicrotask(() => {
      if (this.away || this.idle) return;
      if (!this.#host.port.isUp(this.id)) return this.leave();
      for (const subscription of this.subscriptions()) this.#host.subscribe(subscription);
    });
  }

  /** It will not come back. */
  lose(why: string, cause?: unknown): void {
    this.stop();
    this.#host.ownerLost(
      this,
      ({ handle }) =>
        new ZeromeshError(
          "EVENT_OWNER_LOST",
          `Event ${handle} will never complete: ${this.#host.port.textOf(this.id)} is gone, ${why}`,
          {
            peer: this.id,
            details: { handle: String(handle) },
            ...(cause === undefined ? {} : { cause }),
          },
        ),
    );
  }

  /** Ends the wait for its return. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}

// Dialling that ended with one of these was answered, by somebody else or with a refusal.
const finalCodes: ReadonlySet<string> = new Set(["PEER_REPLACED", "PEER_UNKNOWN", "FORBIDDEN", "CLOSED"]);
