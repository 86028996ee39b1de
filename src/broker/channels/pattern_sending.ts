import type { ConsumerLink } from "./consumer_link.ts";
import type { Sending } from "./outbound.ts";

/** How the messages of a producer go to its consumers. */
export interface PatternSending extends Sending {
  /** The number of the next message, for a consumer that joins now. */
  readonly nextSequence: number;
  /** Messages that wait for credit. */
  readonly queued: number;
  /** Senders that wait for a place. */
  readonly waiting: number;
  /** Messages that were dropped, each of them once for each consumer that did not get it. */
  readonly dropped: number;
  /** Whether nothing waits for credit. */
  readonly idle: boolean;
  /** A consumer takes messages from now on. */
  joined(link: ConsumerLink): void;
  /** A consumer takes none any more. */
  left(link: ConsumerLink): void;
  /** A consumer has credit again. */
  credit(link: ConsumerLink): void;
  /** Nothing is sent any more. Returns how many messages waited, which are lost. */
  end(error: unknown): number;
}
