import { NameCache } from "../../wire/mod.ts";
import { decodeEnvelope, Envelope } from "./envelope.ts";

// Longer ones have headers or a long chain, and differ from each other.
const mostBytes = 128;

/**
 * Reads the envelopes of messages. Most messages have that of the one before, which is recognized by its bytes: then no name
 * is looked up and no id becomes a text.
 */
export class EnvelopeReader {
  readonly #names = new NameCache();
  /** The last envelope. It is read before the next message comes. */
  readonly last: Envelope = new Envelope();
  readonly #bytes = new Uint8Array(new ArrayBuffer(mostBytes));
  // The bytes of the last envelope; 0 if the next one cannot be compared with it.
  #size = 0;

  /** Reads the envelope of a message into {@link last}. @returns Null, or why it is no message for an actor. */
  read(bytes: Uint8Array, start: number, end: number): string | null {
    const { last } = this;
    if (this.#repeats(bytes, start, end)) {
      last.valueAt = start + this.#size;
      return null;
    }
    this.#size = 0;
    const why = decodeEnvelope(bytes, start, end, last, this.#names);
    const size = last.valueAt - start;
    if (why !== null || size > mostBytes) return why;
    for (let i = 0; i < size; i++) this.#bytes[i] = bytes[start + i]!;
    this.#size = size;
    return null;
  }

  /** No other envelope begins with the same bytes. */
  #repeats(bytes: Uint8Array, start: number, end: number): boolean {
    const size = this.#size;
    if (size === 0 || end - start < size) return false;
    const known = this.#bytes;
    // From the end, where messages of several actors differ.
    for (let i = size - 1; i >= 0; i--) if (known[i] !== bytes[start + i]) return false;
    return true;
  }
}
