import type { CancelTimer } from "../core/mod.ts";

/** {@link Waiting}, whatever its result. */
export type Operation = Pick<Waiting<unknown>, "held" | "cancelTimer">;

/** An operation that waits for an event of its socket. */
export class Waiting<T> {
  /** Ends with the operation. */
  readonly promise: Promise<T>;
  /** Ends it. */
  readonly resolve: (value: T) => void;
  /** Ends it with an error. */
  readonly reject: (error: Error) => void;
  /** Whether the reactor waits for its event; not while it waits for a turn of the event loop. */
  held = false;
  /** Ends its time. */
  cancelTimer: CancelTimer | undefined;

  constructor() {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.promise = promise;
    this.resolve = resolve;
    this.reject = reject;
  }
}
