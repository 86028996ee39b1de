import type { InstanceId } from "../core/mod.ts";
import type { PeerConnection } from "../messenger/mod.ts";
import type { DecodedPayload } from "../wire/mod.ts";

/**
 * Why a stream ended.
 *
 * - `finalized`: the writer has finished.
 * - `detached`: the writer has left, and another one may follow.
 * - `dropped`: the writer was given up without a last word, or was silent for too long.
 * - `cancelled`: the reader wants no more.
 * - `peerLost`: the connection to the other end is lost.
 * - `failed`: the writer says why in a last frame, or one side broke the protocol; `text` tells.
 */
export type StreamEndReason = "finalized" | "detached" | "dropped" | "cancelled" | "peerLost" | "failed";

/**
 * The end of a stream.
 *
 * @ignore
 */
export interface StreamEnd {
  /** Why it ended. */
  readonly reason: StreamEndReason;
  /** What happened, for people; empty if the reason tells everything. */
  readonly text: string;
}

/**
 * An amount of credit: items, and bytes of their frames.
 *
 * @ignore
 */
export interface StreamWindow {
  /** Items. */
  readonly items: number;
  /** Bytes; one frame may exceed what is left of them. */
  readonly bytes: number;
}

/**
 * What both ends of a stream have to agree on before it is opened.
 *
 * @ignore
 */
export interface StreamOptions {
  /** The reader's id of the stream: below 2^64, and unique at the reader unless the session is. */
  readonly anchor: bigint;
  /** The session of the anchor. */
  readonly session: bigint;
  /** What the writer may send before the reader returns credit. */
  readonly window: StreamWindow;
  /** Whether credit is returned in bytes as well, which plain Velo does not know. @default {false} */
  readonly creditsBytes?: boolean | undefined;
  /**
   * Whether the writer opens the stream with its first frame, in one message, or a few milliseconds after it was made.
   * @default {false: at once}
   */
  readonly opensLater?: boolean | undefined;
  /** The pause after which an idle writer sends a heartbeat; three of them without a sign end the stream. @default {5_000} */
  readonly heartbeatMs?: number | undefined;
  /** The connection by which the other end has asked for the stream. @default a connection to it */
  readonly connection?: PeerConnection | undefined;
  /**
   * Whether a reader that has taken everything soon returns all credit, so that its writer knows how much is unread. Without
   * this it returns credit in large parts. @default {false}
   */
  readonly tellsReading?: boolean | undefined;
  /** How long a reader waits for its writer to open the stream. @default {180_000} */
  readonly openMs?: number | undefined;
}

/**
 * Memory for one frame, in the batch that leaves next. Its contents are the mux's again after `commit`.
 *
 * @ignore
 */
export interface FrameSpace {
  /** The memory. */
  readonly bytes: Uint8Array;
  /** Offset at which the frame begins. */
  readonly at: number;
}

/**
 * Callbacks of a writer. They are called synchronously and must not throw.
 *
 * @ignore
 */
export interface WriterEvents {
  /** The reader has shown itself for the first time: credit came, also after {@link ByteWriter.end}, or it ended the stream. */
  accepted?(): void;
  /** There is credit again after a frame was refused. */
  credit?(): void;
  /** The reader asks the writer to finish when it suits it. */
  stop?(): void;
  /**
   * The stream ended otherwise than by {@link ByteWriter.end}, or after that while it waited for its reader, who does not
   * come. Called once, and nothing after it.
   */
  ended?(end: StreamEnd): void;
}

/**
 * The sending end of one stream.
 *
 * @ignore
 */
export interface ByteWriter {
  /** The end; null while the stream is open. */
  readonly ended: StreamEnd | null;
  /** Whether the reader has shown itself. */
  readonly accepted: boolean;
  /** Whether the reader was told of it. */
  readonly opened: boolean;
  /** Whether a frame can be written now. */
  readonly open: boolean;
  /** Frames that the reader still takes by its window, also while other limits refuse them. */
  readonly credit: number;
  /** The largest frame that the other end takes; the owner checks it. */
  readonly maxFrameBytes: number;
  /**
   * Sends a frame.
   *
   * @param frame Copied before this returns.
   * @returns False, with nothing taken, without credit or after the end. `events.credit` follows if credit comes.
   */
  write(frame: Uint8Array): boolean;
  /**
   * Gives memory for a frame of at most so many bytes, to be written in place and sent by {@link commit}, before
   * anything else is sent. Without `commit` nothing was reserved. Null like a refused {@link write}. The result is used
   * again by the next call.
   */
  reserve(most: number): FrameSpace | null;
  /** Sends the reserved frame, with the bytes that it turned out to have. */
  commit(bytes: number): void;
  /**
   * Resolves when a frame can be written, or the stream has ended.
   *
   * @throws The signal's reason.
   */
  ready(signal?: AbortSignal | null): Promise<void>;
  /** Ends the stream with its last frame, which needs no credit. Does nothing after the end. */
  end(terminal: Uint8Array): void;
  /**
   * Gives the stream up: it ends as dropped, and nothing is said of it if it was not {@link opened}. If it has ended
   * already and nobody has come to read it, what was sent is forgotten at the other end.
   */
  abandon(): void;
}

/**
 * Callbacks of a reader. They are called synchronously and must not throw.
 *
 * @ignore
 */
export interface ReaderEvents {
  /** A frame arrived while none was waiting, or the end is there. */
  readable(): void;
  /** So many frames have arrived, also while others wait. */
  arrived?(frames: number): void;
  /** The writer has opened the stream. */
  opened?(): void;
  /**
   * A frame, in memory that is used again, has arrived alone. Its item, if it should be decoded before it is taken: then
   * its bytes need not be kept. Null if they should.
   */
  decode?(bytes: Uint8Array, start: number, end: number): DecodedPayload | null;
}

/**
 * The receiving end of one stream.
 *
 * @ignore
 */
export interface ByteReader {
  /**
   * The end; null while more may arrive. Frames that arrived before it can still be taken. No frame follows after
   * {@link take} returned undefined.
   */
  readonly ended: StreamEnd | null;
  /** Whether the writer has opened the stream. */
  readonly opened: boolean;
  /** Frames that wait. */
  readonly size: number;
  /** Takes the next frame, which is the caller's, and returns its credit. Undefined without one. */
  take(): Uint8Array | undefined;
  /**
   * The same without a view: the frame is `bytes[start..end)` until the next call, and memory that nobody writes
   * again.
   *
   * @returns False without a frame.
   */
  advance(): boolean;
  /** The item of the frame of {@link advance}, if `events.decode` gave it; the frame itself is gone then. */
  readonly decoded: DecodedPayload | null;
  /** Memory of the frame of {@link advance}. */
  readonly bytes: Uint8Array;
  /** Where the frame of {@link advance} begins. */
  readonly start: number;
  /** Where the frame of {@link advance} ends. */
  readonly end: number;
  /** Asks the writer to finish. Its frames go on arriving until it does. */
  stop(): void;
  /** Ends the stream, if it has not ended, and drops the frames that wait. The writer is told. */
  cancel(): void;
}

/**
 * All streams of a messenger.
 *
 * @ignore
 */
export interface StreamMux {
  /** The window of the streams that this instance reads. */
  readonly window: StreamWindow;
  /** A number that this messenger has not given before, from 1, for anchors and sessions. */
  newId(): bigint;
  /** Whether both ends of the connection to a peer have this library's streams. */
  supports(peer: InstanceId): boolean;
  /**
   * Opens a stream to a peer that reads or will read it. It leaves behind what was sent to the peer before.
   *
   * @throws {ZeromeshError} `PEER_DISCONNECTED` without a connection; `LIMIT_REACHED` at the limit of streams.
   */
  openWriter(peer: InstanceId, options: StreamOptions, events: WriterEvents): ByteWriter;
  /**
   * Reads a stream that a peer opens later, or has opened already with an anchor of {@link writersAnchor}. The writer of the latter
   * is told that it is accepted.
   *
   * @throws {ZeromeshError} `PEER_DISCONNECTED` without a connection; `LIMIT_REACHED` at the limit of streams.
   */
  bind(peer: InstanceId, options: StreamOptions, events: ReaderEvents): ByteReader;
  /**
   * Lets one peer, whichever comes first, open a stream whose reader is not bound. `opened` is called then, once, and
   * binds the reader; without one the writer is told that the stream is unknown.
   *
   * @returns Takes the permission back when it is disposed.
   */
  prepare(anchor: bigint, session: bigint, opened: (peer: InstanceId) => void): Disposable;
  /** Counts a call that its caller has dropped without reading or closing it. */
  forgotten(): void;
  /** Sends what was collected for a peer, so that it leaves before what is sent next. */
  flush(peer: InstanceId): void;
  /** Calls back when the messenger closes, before all streams end: the last moment for last frames. */
  beforeClose(run: () => void): void;
}

/**
 * The bit of an anchor that the writer named. Such a stream may be opened before its reader binds it, and waits for it:
 * for a limited time, and within bounds of streams and bytes for each peer.
 */
export const writersAnchor: bigint = 1n << 62n;
