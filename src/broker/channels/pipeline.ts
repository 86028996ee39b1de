import { afterTurn, type ItemCodec, type Kept, type TurnShare } from "../../streams/mod.ts";
import type { ConsumerLink } from "./consumer_link.ts";
import type { MessageWindow } from "./message_window.ts";
import type { ChannelSendOptions } from "./options.ts";
import type { PatternSending } from "./pattern_sending.ts";

// The search for the consumer with most credit is spread over as many messages as make it cheap.
const searchedPerMessage = 4;
const longestRun = 32;

/** Each message goes to one consumer: the one with most credit. */
export class Pipeline implements PatternSending {
  readonly nextSequence = 1;
  readonly #codec: ItemCodec;
  readonly #window: MessageWindow;
  readonly #turns: TurnShare;
  readonly #links: ConsumerLink[] = [];
  /** The consumer of the last message, and how many more it gets without another search. */
  #last: ConsumerLink | null = null;
  #run = 0;
  #ending = false;

  constructor(codec: ItemCodec, window: MessageWindow, turns: TurnShare) {
    this.#codec = codec;
    this.#window = window;
    this.#turns = turns;
  }

  get queued(): number {
    return this.#window.size;
  }

  get waiting(): number {
    return this.#window.senders;
  }

  get dropped(): number {
    return this.#window.dropped;
  }

  get idle(): boolean {
    return this.#window.size === 0;
  }

  send(message: unknown, options: ChannelSendOptions | null): Promise<void> {
    if (this.#window.size === 0) {
      const link = this.#next();
      if (link !== null && this.#codec.write(link.writer!, message)) {
        link.sent++;
        return this.#turns.spend();
      }
    }
    return this.sendKept(this.#codec.keep(message), options);
  }

  sendKept(kept: Kept, options: ChannelSendOptions | null): Promise<void> {
    const wait = this.#window.add(kept, options, false);
    if (wait !== null) return wait;
    if (this.#window.size === 1) this.#drain();
    return this.#turns.spend();
  }

  joined(link: ConsumerLink): void {
    this.#links.push(link);
    this.#drain();
  }

  left(link: ConsumerLink): void {
    const at = this.#links.indexOf(link);
    if (at >= 0) this.#links.splice(at, 1);
    if (this.#last === link) this.#last = null;
    this.#run = 0;
    // One that has less credit may have waited for nothing.
    this.#drain();
  }

  credit(): void {
    this.#drain();
  }

  end(error: unknown): number {
    return this.#window.end(error);
  }

  /** Sends what waits, as far as there is credit. */
  #drain(): void {
    const window = this.#window;
    for (let kept = window.first; kept !== undefined; kept = window.first) {
      const link = this.#next();
      if (link === null) return;
      try {
        if (!this.#codec.writeKept(link.writer!, kept)) continue;
      } catch {
        // It is larger than what this one takes.
        if (!this.#writeElsewhere(kept, link)) window.drop();
        else window.shift();
        continue;
      }
      link.sent++;
      window.shift();
    }
  }

  #writeElsewhere(kept: Kept, except: ConsumerLink): boolean {
    for (const link of this.#links) {
      if (link === except || link.credit === 0) continue;
      try {
        if (!this.#codec.writeKept(link.writer!, kept)) continue;
        link.sent++;
        return true;
      } catch {
        // It is larger than what this one takes, too.
      }
    }
    return false;
  }

  /** The consumer that gets the next message; null while none has credit. */
  #next(): ConsumerLink | null {
    const last = this.#last;
    if (this.#run > 0 && last!.writer!.open) {
      this.#run--;
      return last;
    }
    return this.#search();
  }

  #search(): ConsumerLink | null {
    const links = this.#links;
    const count = links.length;
    let best: ConsumerLink | null = null;
    let most = 0;
    // Of those with the same credit the one that was here first, which has read everything if the others have.
    for (const link of links) {
      const { credit } = link;
      if (credit <= most) continue;
      best = link;
      most = credit;
    }
    this.#run = 0;
    this.#last = best;
    if (best === null) {
      // Each of them says when it has credit again.
      for (const link of links) link.writer!.reserve(0);
      return null;
    }
    if (count > searchedPerMessage) {
      this.#begin(Math.min(longestRun, Math.floor(count / searchedPerMessage)));
    }
    return best;
  }

  /** Lets the consumer have the next messages of this turn, too. */
  #begin(run: number): void {
    this.#run = run - 1;
    if (this.#ending) return;
    this.#ending = true;
    afterTurn(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#ending = false;
    this.#run = 0;
  };
}
