/** A send that waits for a place in the queue. */
export interface WaitingSend<Job> {
  readonly job: Job;
  /** It has got its place. */
  accept(): void;
  /** It will get none. */
  refuse(error: unknown): void;
}

/** Sends that wait for a place: those of one sender in their order, and the senders in turns. */
export class WaitingSends<Job extends { readonly sender: string | null }> {
  // In the order of their turns.
  readonly #bySender = new Map<string | null, Set<WaitingSend<Job>>>();
  #size = 0;

  /** How many wait. */
  get size(): number {
    return this.#size;
  }

  /** Adds one, behind those of its sender. */
  add(send: WaitingSend<Job>): void {
    const { sender } = send.job;
    const theirs = this.#bySender.get(sender) ?? new Set<WaitingSend<Job>>();
    this.#bySender.set(sender, theirs.add(send));
    this.#size++;
  }

  /** Takes one out; returns whether it waited. */
  delete(send: WaitingSend<Job>): boolean {
    const { sender } = send.job;
    const theirs = this.#bySender.get(sender);
    if (theirs === undefined || !theirs.delete(send)) return false;
    this.#size--;
    if (theirs.size === 0) this.#bySender.delete(sender);
    return true;
  }

  /** Takes the first one of the sender whose turn it is. @param gets Whether a sender gets a place now. */
  next(gets: (sender: string | null) => boolean): WaitingSend<Job> | null {
    for (const [sender, theirs] of this.#bySender) {
      if (!gets(sender)) continue;
      for (const first of theirs) {
        this.delete(first);
        // The turn goes to the others before it comes back.
        if (this.#bySender.delete(sender)) this.#bySender.set(sender, theirs);
        return first;
      }
    }
    return null;
  }
}
