import { type AnySchema, Deque, type SchemaFailure, validateArrived } from "../../core/mod.ts";
import { decodePayload } from "../../wire/mod.ts";
import { type ArrivedMessages, invalidMessage } from "../channels/mod.ts";
import { type Blake2b } from "./blake2b.ts";
import { type DataFrame, type DataProblem, decodeDataFrame, isDataProblem } from "./data_frames.ts";

/** Frames that were dropped, by what was wrong with them. */
export type FrameCounts = Record<DataProblem, number>;

/** No frame was dropped. */
export function noFrames(): FrameCounts {
  return { malformed: 0, badMagic: 0, tagMismatch: 0, badChecksum: 0 };
}

/** What a {@link PlainStream} needs. */
export interface PlainStreamParts {
  /** The channel's name. */
  readonly channel: string;
  readonly schema: AnySchema;
  readonly tag: Uint8Array;
  readonly blake2b: Blake2b;
  /** The presence of the sender; null for the producer. */
  readonly from: number | null;
  readonly counts: FrameCounts;
  /** Whether a missing number is a message that was lost; else others get those. */
  readonly numbered: boolean;
  /** So many messages are missing; null if another producer begins anew. */
  gap(count: number | null): void;
  /** A message was taken. */
  taken(): void;
  /** A message does not fit the schema. It is dropped, since a foreign program cannot be told. */
  invalid(): void;
}

/** The messages of one sender of plain data that have arrived. */
export class PlainStream implements ArrivedMessages {
  queued = false;
  sequence = 0;
  readonly from: number | null;
  readonly #parts: PlainStreamParts;
  readonly #frames = new Deque<DataFrame>();
  #bytes = 0;
  #payload = new Uint8Array();
  readonly #refuse: SchemaFailure = (issues, cause) =>
    invalidMessage("RESULT_INVALID", this.#parts.channel, this.sequence, issues, cause);

  constructor(parts: PlainStreamParts) {
    this.#parts = parts;
    this.from = parts.from;
  }

  get size(): number {
    return this.#frames.size;
  }

  /** Bytes of the messages that were not taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A frame has come. Returns whether it is a message; else it is counted. */
  receive(bytes: Uint8Array): boolean {
    const { tag, blake2b, counts } = this.#parts;
    const frame = decodeDataFrame(bytes, tag, blake2b);
    if (isDataProblem(frame)) {
      counts[frame]++;
      return false;
    }
    this.#frames.push(frame);
    this.#bytes += frame.payload.length;
    return true;
  }

  advance(): boolean {
    const frame = this.#frames.shift();
    if (frame === undefined) return false;
    const { sequence, payload } = frame;
    this.#bytes -= payload.length;
    this.#payload = payload as Uint8Array<ArrayBuffer>;
    const { numbered, gap, taken } = this.#parts;
    const last = this.sequence;
    this.sequence = sequence;
    if (numbered && last > 0 && sequence !== last + 1) gap(sequence > last ? sequence - last - 1 : null);
    taken();
    return true;
  }

  message(): unknown {
    const decoded = decodePayload(this.#payload, "msgpack");
    if (decoded.error !== undefined) throw this.#refuse([{ message: decoded.error }]);
    return validateArrived(this.#parts.schema, decoded.value, false, this.#refuse);
  }

  broken(): boolean {
    this.#parts.invalid();
    return false;
  }

  cancel(): void {
    this.#frames.clear();
    this.#bytes = 0;
  }
}
