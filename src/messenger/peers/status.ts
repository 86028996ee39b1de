import { Broadcast, type DroppedEntries, type ErrorCode, type InstanceId } from "../../core/mod.ts";

/** An entry of `messenger.status()`. */
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
  /** Its id. */
  readonly peer: InstanceId;
  /** Its endpoint, if this side dialled; null if the peer did. */
  readonly endpoint: string | null;
  /** Whether it is a zeromesh instance, not plain Velo. */
  readonly zeromesh: boolean;
  /** Its option `name`; null without one. */
  readonly name: string | null;
}

/** The last connection to a peer was lost or closed. */
export interface PeerDown {
  /** Tag of the union. */
  readonly type: "peerDown";
  /** Its id. */
  readonly peer: InstanceId;
  /** The code of its ended calls. */
  readonly code: ErrorCode;
  /** The reason, for people. */
  readonly reason: string;
  /** Its option `name`; null without one. */
  readonly name: string | null;
}

/** Another instance answers at a peer's address; messages for the peer do not reach it. */
export interface PeerReplaced {
  /** Tag of the union. */
  readonly type: "peerReplaced";
  /** The replaced peer. */
  readonly peer: InstanceId;
  /** The instance that answers now. `connect` to use it. */
  readonly successor: InstanceId;
}

/** Two processes have one instance id. The later one is refused if possible; otherwise messages may go to either. */
export interface PeerDuplicated {
  /** Tag of the union. */
  readonly type: "peerDuplicated";
  /** The id. */
  readonly peer: InstanceId;
  /** How it was detected, for people. */
  readonly reason: string;
}

/** A handler can be called from now on. */
export interface HandlerRegistered {
  /** Tag of the union. */
  readonly type: "handlerRegistered";
  /** Its name. */
  readonly handler: string;
}

/** A handler was replaced by another one of the same name. */
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

/** This instance refuses new requests and finishes running ones. */
export interface Draining {
  /** Tag of the union. */
  readonly type: "draining";
}

/** This instance is closed; the last entry. */
export interface Closed {
  /** Tag of the union. */
  readonly type: "closed";
}

/** The changes: asynchronously for external readers, synchronously for parts of the library. */
export class StatusFeed extends Broadcast<Status> {
  readonly #watchers = new Set<(status: Status) => void>();

  override publish(status: Status): void {
    super.publish(status);
    for (const watch of this.#watchers) watch(status);
  }

  /** Calls a function at each change, until disposed. */
  watch(watcher: (status: Status) => void): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }
}
