import { ZeromeshError } from "../../core/mod.ts";
import type { ItemCodec, Kept, TurnShare } from "../../streams/mod.ts";
import { brokerError } from "../errors.ts";
import type { ConsumerLink } from "./consumer_link.ts";
import { refused } from "./failures.ts";
import { FrameScratch } from "./frames.ts";
import type { ChannelSendOptions } from "./options.ts";
import type { PatternSending } from "./pattern_sending.ts";

/** What a {@link Fanout} needs. */
export interface FanoutParts {
  /** The channel's name. */
  readonly channel: string;
  readonly codec: ItemCodec;
  /** The largest frame. */
  readonly maxFrameBytes: number;
  readonly turns: TurnShare;
  /** Whether a message fails that finds no place. */
  readonly fails: boolean;
  /** Whether one consumer can be named that gets a message alone. */
  readonly single: boolean;
}

/** Each message goes to all consumers, or to the one that it names. It is encoded once. */
export class Fanout implements PatternSending {
  readonly #parts: FanoutParts;
  readonly #scratch: FrameScratch;
  readonly #links = new Map<number, ConsumerLink>();
  /** The same, in a form that is quick to walk. */
  #all: ConsumerLink[] = [];
  #sequence = 0;
  /** Messages that nobody was there for. */
  #unheard = 0;
  /** Drops at consumers that have left. */
  #droppedBefore = 0;

  constructor(parts: FanoutParts) {
    this.#parts = parts;
    this.#scratch = new FrameScratch(parts.maxFrameBytes);
  }

  get nextSequence(): number {
    // Where messages may be for one consumer alone, each of them counts its own.
    return this.#parts.single ? 1 : this.#sequence + 1;
  }

  get queued(): number {
    return this.#sum(({ window }) => window?.size ?? 0);
  }

  get waiting(): number {
    return this.#sum(({ window }) => window?.senders ?? 0);
  }

  get dropped(): number {
    return this.#unheard + this.#droppedBefore + this.#sum(({ window }) => window?.dropped ?? 0);
  }

  get idle(): boolean {
    return this.#all.every((link) => link.idle);
  }

  send(message: unknown, options: ChannelSendOptions | null): Promise<void> {
    const to = options?.to;
    if (to !== undefined) this.#single(to);
    else if (this.#all.length === 0) return this.#drop();
    this.#parts.codec.write(this.#scratch, message);
    return this.#push(options);
  }

  sendKept(kept: Kept, options: ChannelSendOptions | null): Promise<void> {
    this.#parts.codec.writeKept(this.#scratch, kept);
    return this.#push(options);
  }

  joined(link: ConsumerLink): void {
    this.#links.set(link.presence, link);
    this.#all.push(link);
  }

  left(link: ConsumerLink): void {
    this.#links.delete(link.presence);
    // A new one, since a message may be on its way to all.
    this.#all = this.#all.filter((one) => one !== link);
    const { window } = link;
    if (window === null) return;
    const lost = window.end(this.#gone(link.presence));
    this.#droppedBefore += window.dropped + lost;
  }

  credit(link: ConsumerLink): void {
    link.drain();
  }

  end(error: unknown): number {
    return this.#sum(({ window }) => window?.end(error) ?? 0);
  }

  #push(options: ChannelSendOptions | null): Promise<void> {
    const to = options?.to;
    if (to !== undefined) {
      return this.#single(to).push(this.#scratch, options, false) ?? this.#parts.turns.spend();
    }
    const all = this.#all;
    if (all.length === 0) return this.#drop();
    const { length } = this.#scratch;
    // Nobody gets a message that one of them refuses.
    if (this.#parts.fails) { for (const link of all) if (link.refuses(length)) throw link.window!.full(); }
    this.#sequence++;
    let waits: Promise<void>[] | null = null;
    for (const link of all) {
      try {
        const wait = link.push(this.#scratch, options, true);
        if (wait !== null) (waits ??= []).push(wait);
      } catch (error) {
        // Too many senders wait for this one; the others get it.
        link.window!.miss();
        (waits ??= []).push(refused(error));
      }
    }
    return waits === null ? this.#parts.turns.spend() : allOf(waits);
  }

  /** Nobody is there for a message. */
  #drop(): Promise<void> {
    this.#sequence++;
    this.#unheard++;
    return this.#parts.turns.spend();
  }

  #single(presence: number): ConsumerLink {
    const link = this.#links.get(presence);
    if (link === undefined || !this.#parts.single) throw this.#gone(presence);
    return link;
  }

  #gone(presence: number): unknown {
    const { channel } = this.#parts;
    return brokerError("NOT_REGISTERED", `Consumer ${presence} of channel "${channel}" is not connected`, {
      channel,
    });
  }

  #sum(of: (link: ConsumerLink) => number): number {
    return this.#all.reduce((sum, link) => sum + of(link), 0);
  }
}

/** Waits for all consumers. One that leaves does not fail a message for all; another error does, when all are through. */
function allOf(waits: readonly Promise<void>[]): Promise<void> {
  const all = Promise.allSettled(waits).then((outcomes) => {
    for (const one of outcomes) {
      if (one.status === "rejected" && !hasLeft(one.reason)) throw one.reason;
    }
  });
  all.catch(() => {});
  return all;
}

function hasLeft(error: unknown): boolean {
  return error instanceof ZeromeshError && error.code === "NOT_REGISTERED";
}
