import { Broadcast, type DroppedEntries, type SubscribeOptions, type ZeromeshError } from "../../core/mod.ts";

/**
 * Why a message reached no handler, or an answer nobody.
 *
 * - `notFound`: no actor has the id or name.
 * - `stopped`: the actor stopped before the message's turn.
 * - `full`: the mailbox had no room, or too many senders waited for some.
 * - `dropped`: the mailbox dropped it, by its policy.
 * - `late`: the sender's time for getting room ended, or it gave up.
 * - `lateReply`: the asker did not wait any more when the answer came.
 * - `invalid`: the actor has no such message, or the value does not fit its schema.
 * - `unreachable`: the message did not reach the other instance.
 */
export type DeadLetterReason =
  | "notFound"
  | "stopped"
  | "full"
  | "dropped"
  | "late"
  | "lateReply"
  | "invalid"
  | "unreachable";

/** The reasons, for counters. */
export const deadLetterReasons: readonly DeadLetterReason[] = [
  "notFound",
  "stopped",
  "full",
  "dropped",
  "late",
  "lateReply",
  "invalid",
  "unreachable",
];

/** A message that reached no handler, or an answer that reached nobody. */
export interface DeadLetter {
  /** Tag of the union. */
  readonly type: "deadLetter";
  /** Why. */
  readonly reason: DeadLetterReason;
  /** The address of the actor it was for. */
  readonly target: string;
  /** The kind of message. */
  readonly kind: "tell" | "ask" | "open" | "item" | "reply";
  /** The message's name. */
  readonly name: string;
  /** The address of the actor that sent it; null for others. */
  readonly sender: string | null;
  /** The error that the sender got, or would have got. */
  readonly error: ZeromeshError | null;
}

/** Counts dead letters, and shows them to whoever iterates. */
export class DeadLetters {
  readonly #broadcast = new Broadcast<DeadLetter>();
  readonly #counts: Record<DeadLetterReason, number>;

  constructor() {
    this.#counts = Object.fromEntries(deadLetterReasons.map((one) => [one, 0])) as Record<
      DeadLetterReason,
      number
    >;
  }

  /** Dead letters by reason, since the start. */
  get counts(): Readonly<Record<DeadLetterReason, number>> {
    return { ...this.#counts };
  }

  /** Adds one. */
  add(letter: Omit<DeadLetter, "type">): void {
    this.#counts[letter.reason]++;
    if (this.#broadcast.subscribers > 0) this.#broadcast.publish({ type: "deadLetter", ...letter });
  }

  /** Iterates over those to come. */
  subscribe(options?: SubscribeOptions): AsyncIterableIterator<DeadLetter | DroppedEntries> {
    return this.#broadcast.subscribe(options);
  }

  /** Ends the iterations. */
  close(): void {
    this.#broadcast.close();
  }
}
