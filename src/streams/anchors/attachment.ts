import type { InstanceId } from "../../core/mod.ts";
import type { ReaderEvents, StreamEnd } from "../byte_stream.ts";
import type { SenderName } from "../wire/control.ts";
import type { FrameSource } from "./local_pair.ts";

/** A sender who attaches to an anchor. */
export interface Arriving {
  /** Its instance; null for this one. */
  readonly peer: InstanceId | null;
  /** Its name there; null if it came by a ticket, which tells none. */
  readonly name: SenderName | null;
  /** Makes the reading end of its stream. It may throw. */
  bind(events: ReaderEvents): FrameSource;
}

/** A sender at an anchor, until its last frame has been read. */
export class Attachment {
  /** Its number at the anchor. */
  readonly sender: number;
  /** Its instance; null for this one. */
  readonly peer: InstanceId | null;
  /** Its name there; null if it came by a ticket. */
  readonly name: SenderName | null;
  readonly #source: FrameSource;
  /** Whether it is in the queue of those with something to read. */
  queued = false;
  /** Whether its end has been noticed. */
  over = false;
  /** Items that were read. */
  items = 0;
  #kept: Uint8Array[] | null = null;
  #left: StreamEnd | null = null;

  /**
   * @param sender Its number.
   * @param readable Called when there is something to read.
   */
  constructor(sender: number, { peer, name, bind }: Arriving, readable: (of: Attachment) => void) {
    this.sender = sender;
    this.peer = peer;
    this.name = name;
    this.#source = bind({ readable: () => readable(this) });
  }

  /** The end of its stream; null while more may come. Frames may wait still. */
  get ended(): StreamEnd | null {
    return this.#left ?? this.#source.ended;
  }

  /** Takes its next frame. */
  take(): Uint8Array | undefined {
    return this.#kept === null ? this.#source.take() : this.#kept.shift();
  }

  /** Ends it in another way than by its stream. What has arrived can still be read. */
  leave(end: StreamEnd): void {
    if (this.ended !== null) return;
    const kept: Uint8Array[] = [];
    for (let frame = this.#source.take(); frame !== undefined; frame = this.#source.take()) kept.push(frame);
    this.#kept = kept;
    this.#left = end;
    this.#source.cancel();
  }

  /** Ends it, and drops what waits. */
  cancel(): void {
    this.#source.cancel();
    this.#kept = [];
  }

  /** Asks its sender to finish. */
  stop(): void {
    this.#source.stop();
  }
}
