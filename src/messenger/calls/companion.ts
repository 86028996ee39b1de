import type { InstanceId } from "../../core/mod.ts";

/** Key of a call's options under which a feature has its {@link CallCompanion}. Not in public types. */
export const companionOf: unique symbol = Symbol("companion");

/** A call that has begun. */
export interface SentCall {
  /** The called peer. */
  readonly peer: InstanceId | undefined;
  /** Ends its deadline: from now on it lasts as long as its connection. */
  endDeadline(): void;
  /** Ends it with an error, unless it has ended. The peer is told if it has got the request. */
  leave(reason: unknown): void;
}

/**
 * A feature's part of a call. The peer is told no deadline, and the time for the call applies only until the feature
 * ends it. The call is made once, whatever `retry` says.
 */
export interface CallCompanion {
  /** The call has begun, and can be ended: before it is sent, and again when another instance gets it. */
  opened(call: SentCall): void;
  /**
   * The request is about to be sent; again, if it had to wait for room, or if another instance gets it.
   *
   * @returns Headers of the library, to be sent with it.
   * @throws The error with which the call then fails.
   */
  sending(call: SentCall): Readonly<Record<string, string>>;
  /** Items that the call has sent and received so far, for its trace. */
  readonly items: { readonly sent: number; readonly received: number };
}

/** The companion in a call's options; undefined for an ordinary call. */
export function companionIn(options: object): CallCompanion | undefined {
  return (options as { [companionOf]?: CallCompanion })[companionOf];
}
