import {
  type AnySchema,
  describeIssues,
  type SchemaFailure,
  type SchemaOutput,
  validate,
  ZeromeshError,
} from "../../core/mod.ts";
import { decodePayload } from "../../wire/mod.ts";
import type { StreamEnd } from "../byte_stream.ts";
import { FrameReader } from "../wire/frame.ts";

/** What comes out of an anchor. */
export type AnchorFrame<T> =
  | {
    /** An item. */
    readonly type: "item";
    /** The sender's number, from 1. */
    readonly sender: number;
    /** The item. */
    readonly item: T;
  }
  | {
    /** A sender reported an error, or, at an anchor with many senders, its item is invalid; the sender goes on. */
    readonly type: "error";
    /** The sender's number, from 1. */
    readonly sender: number;
    /** What it reported. */
    readonly error: ZeromeshError;
  }
  | {
    /** A sender left. */
    readonly type: "detached";
    /** The sender's number, from 1. */
    readonly sender: number;
  }
  | {
    /** A sender is gone without a word; at an anchor with one sender this is an error instead. */
    readonly type: "dropped";
    /** The sender's number, from 1. */
    readonly sender: number;
    /** Why it is gone. */
    readonly error: ZeromeshError;
  };

const frames = new FrameReader();

/** Reads the frames of one anchor. */
export class ItemReader<T> {
  readonly #schema: AnySchema | undefined;
  readonly #what: string;

  /** @param what The anchor, for errors. */
  constructor(schema: AnySchema | undefined, what: string) {
    this.#schema = schema;
    this.#what = what;
  }

  /**
   * Reads a frame.
   *
   * @param number The number of the item that it holds, if it holds one.
   * @returns Undefined for a frame that only says that its sender lives.
   * @throws {ZeromeshError} `PAYLOAD_INVALID`; the promise rejects with it, too.
   */
  read(
    frame: Uint8Array,
    sender: number,
    number: number,
  ): AnchorFrame<T> | Promise<AnchorFrame<T>> | undefined {
    const refused = frames.read(frame, 0, frame.length);
    if (refused !== null) throw this.#invalid(number, "its frame cannot be read");
    if (frames.kind === "senderError") {
      return { type: "error", sender, error: new ZeromeshError("STREAM_SENDER_ERROR", frames.text) };
    }
    if (frames.kind !== "item") return undefined;
    const decoded = decodePayload(frame.subarray(frames.valueStart), "msgpack");
    if (decoded.error !== undefined) throw this.#invalid(number, decoded.error);
    if (this.#schema === undefined) return { type: "item", sender, item: decoded.value as T };
    const failure: SchemaFailure = (issues, cause) =>
      this.#invalid(number, describeIssues(issues), { issues, cause });
    const item = validate(this.#schema, decoded.value, failure) as
      | SchemaOutput<AnySchema>
      | Promise<SchemaOutput<AnySchema>>;
    if (item instanceof Promise) {
      return item.then((checked) => ({ type: "item", sender, item: checked as T }));
    }
    return { type: "item", sender, item: item as T };
  }

  #invalid(
    number: number,
    why: string,
    { issues, cause }: { readonly issues?: unknown; readonly cause?: unknown } = {},
  ): ZeromeshError {
    return new ZeromeshError("PAYLOAD_INVALID", `Item ${number} of ${this.#what} is invalid: ${why}`, {
      cause,
      details: { item: number, issues },
    });
  }
}

/** The error about the end of a sender's stream. */
export function endError(end: StreamEnd, what: string, peer: string | null): ZeromeshError {
  const from = peer === null ? {} : { peer };
  switch (end.reason) {
    case "peerLost":
      return new ZeromeshError("PEER_DISCONNECTED", `The connection to a sender of ${what} is lost`, from);
    case "failed":
      return new ZeromeshError("STREAM_FAILED", `A sender of ${what} failed: ${end.text}`, from);
    default:
      return new ZeromeshError(
        "STREAM_DROPPED",
        `A sender of ${what} ended without finalize() or detach()${end.text === "" ? "" : `: ${end.text}`}`,
        from,
      );
  }
}
