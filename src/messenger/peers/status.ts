import { Broadcast, type DroppedEntries, type ErrorCode, type InstanceId } from "../../core/mod.ts";

/** What `messenger.status()` yields: one entry for each change. */
export type Status =
  | PeerUp
  | PeerDown
  | PeerReplaced
  | PeerDuplicated
  | HandlerRegistered
  | HandlerReplaced
  | HandlerUnregistered
  | Draining
  | Closed
  | DroppedEntries;

/** A peer's handshake was answered, or it introduced itself: calls reach it. */
export interface PeerUp {
  /** Tag of the union. */
  readonly type: "peerUp";
  /** Who. */
  readonly peer: InstanceId;
  /** Where, when this side dialled; null when the peer did. */
  readonly endpoint: string | null;
  /** Whether it is one of ours, or plain Velo. */
  readonly zeromesh: boolean;
  /** What its option `name` says; null without one. */
  readonly name: string | null;
}

/** The last connection to a peer was lost or closed. */
export interface PeerDown {
  /** Tag of the union. */
  readonly type: "peerDown";
  /** Who. */
  readonly peer: InstanceId;
  /** The code that its open calls ended with. */
  readonly code: ErrorCode;
  /** What happened, for people. */
  readonly reason: string;
  /** What its option `name` says; null without one. */
  readonly name: string | null;
}

/** Another instance answers where a peer used to be; nothing meant for the peer reaches it. */
export interface PeerReplaced {
  /** Tag of the union. */
  readonly type: "peerReplaced";
  /** Who used to be there. */
  readonly peer: InstanceId;
  /** Who answers now. `connect` to talk to it. */
  readonly successor: InstanceId;
}

/** Two processes have one instance id. The later one is refused where it can be; else messages go to either. */
export interface PeerDuplicated {
  /** Tag of the union. */
  readonly type: "peerDuplicated";
  /** The id. */
  readonly peer: InstanceId;
  /** How it showed, for people. */
  readonly reason: string;
}

/** A handler can be called from now on. */
export interface HandlerRegistered {
  /** Tag of the union. */
  readonly type: "handlerRegistered";
  /** Its name. */
  readonly handler: string;
}

/** Another handler answers under a name from now on. */
export interface HandlerReplaced {
  /** Tag of the union. */
  readonly type: "handlerReplaced";
  /** Its name. */
  readonly handler: string;
}

/** A handler can no longer be called. */
export interface HandlerUnregistered {
  /** Tag of the union. */
  readonly type: "handlerUnregistered";
  /** Its name. */
  readonly handler: string;
}

/** This instance refuses new requests and finishes what runs. */
export interface Draining {
  /** Tag of the union. */
  readonly type: "draining";
}

/** This instance is closed; the last entry. */
export interface Closed {
  /** Tag of the union. */
  readonly type: "closed";
}

/** The changes for readers outside, who hear of them a little later, and for parts of the system, who hear at once. */
export class StatusFeed extends Broadcast<Status> {
  readonly #watchers = new Set<(status: Status) => void>();

  override publish(status: Status): void {
    super.publish(status);
    for (const watch of this.#watchers) watch(status);
  }

  /** Calls a function at each change, until disposed of. */
  watch(watcher: (status: Status) => void): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }
}
