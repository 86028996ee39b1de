import { Alarm, type Deadlines } from "../../core/mod.ts";
import type { ReadingSlot } from "./slot_peer.ts";

// The rest of a finished stream's credit matters to no stream, only to what its writer may send in all. As a message of
// its own it woke the writer once more for each short stream.
const restMs = 20;
// A writer that chooses among readers by what they have read has to know it before its next item.
const readMs = 5;
const mostRests = 64;
const mostRestBytes = 64 * 1024;

/** The credit that the readers of one peer's streams owe to their writers. */
export class OwedCredit {
  readonly #deadlines: Deadlines;
  readonly #flush: () => void;
  readonly #late: Alarm;
  readonly #owing: ReadingSlot[] = [];
  #rests = 0;
  #restBytes = 0;
  /** Whether the credit leaves after the shorter time. */
  #soon = false;

  /** @param flush Sends a batch with what is owed. */
  constructor(deadlines: Deadlines, flush: () => void) {
    this.#deadlines = deadlines;
    this.#flush = flush;
    this.#late = new Alarm(flush);
  }

  /** Whether some is owed. */
  get pending(): boolean {
    return this.#owing.length > 0;
  }

  /** Adds what a reader owes, which leaves at once. */
  add(reader: ReadingSlot): void {
    this.#owing.push(reader);
    this.#flush();
  }

  /** Adds credit that nobody waits for, such as the last one of a finished stream: it leaves with the next batch, after a while, or when there is much of it. */
  addRest(reader: ReadingSlot, bytes: number): void {
    this.#owing.push(reader);
    this.#restBytes += bytes;
    const tells = reader.options.tellsReading === true;
    if (this.#rests++ === 0 || (tells && !this.#soon)) {
      this.#deadlines.remove(this.#late);
      this.#deadlines.add(this.#late, tells ? readMs : restMs);
      this.#soon = tells;
    }
    if (this.#rests >= mostRests || this.#restBytes >= mostRestBytes) this.#flush();
  }

  /** What a reader owes leaves at once, though it was to leave after a while. */
  hurry(): void {
    this.#flush();
  }

  /** Adds what is owed to the batch that leaves next. */
  settle(): void {
    const owing = this.#owing;
    let settled = 0;
    // Credit waits for room too, and adds up until then.
    while (settled < owing.length && owing[settled]!.settle()) settled++;
    if (settled === 0) return;
    owing.splice(0, settled);
    this.forget();
  }

  /** Nothing leaves later any more by itself. */
  forget(): void {
    if (this.#rests === 0) return;
    this.#rests = this.#restBytes = 0;
    this.#soon = false;
    this.#deadlines.remove(this.#late);
  }
}
