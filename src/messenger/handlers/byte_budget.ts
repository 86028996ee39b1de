import { hasShare } from "../../core/mod.ts";

interface Waiting<Sender> {
  readonly sender: Sender;
  readonly bytes: number;
  readonly go: () => void;
}

/**
 * Memory that several senders share. A sender that finds too little left waits, first come first served; one that has
 * its share does not delay others.
 */
export class ByteBudget<Sender> {
  readonly #limit: number;
  readonly #waiting: Waiting<Sender>[] = [];
  readonly #held = new Map<Sender, number>();
  #taken = 0;

  /** @param limit Total bytes. A larger request is granted when nothing else is taken. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Bytes taken. */
  get taken(): number {
    return this.#taken;
  }

  /** Takes bytes as soon as there is room. */
  take(sender: Sender, bytes: number): Promise<void> {
    return new Promise((go) => {
      this.#waiting.push({ sender, bytes, go });
      this.#serve();
    });
  }

  /** Gives bytes back. */
  give(sender: Sender, bytes: number): void {
    this.#change(sender, -bytes);
    this.#serve();
  }

  #serve(): void {
    for (let i = 0; i < this.#waiting.length;) {
      const { sender, bytes, go } = this.#waiting[i]!;
      if (this.#taken > 0 && this.#taken + bytes > this.#limit) return;
      if (this.#taken > 0 && !hasShare(this.#held.get(sender) ?? 0, this.#taken, this.#limit, bytes)) i++;
      else {
        this.#waiting.splice(i, 1);
        this.#change(sender, bytes);
        go();
      }
    }
  }

  #change(sender: Sender, bytes: number): void {
    this.#taken += bytes;
    const held = (this.#held.get(sender) ?? 0) + bytes;
    if (held > 0) this.#held.set(sender, held);
    else this.#held.delete(sender);
  }
}
