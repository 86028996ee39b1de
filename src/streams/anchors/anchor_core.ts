import {
  Alarm,
  type AnySchema,
  type Deadlines,
  Deque,
  type Ending,
  EndOf,
  type InstanceId,
  Shares,
  ZeromeshError,
} from "../../core/mod.ts";
import type { StreamEnd } from "../byte_stream.ts";
import type { SenderName } from "../wire/control.ts";
import type { StreamHandle } from "../wire/handle.ts";
import { type Arriving, Attachment } from "./attachment.ts";
import { type AnchorFrame, endError, ItemReader } from "./frames.ts";
import type { Reservation, StreamTicket } from "./ticket.ts";

/** Senders of an anchor with one sender that have left, but whose last items have not been read, and the present one. */
const maxUnread = 4;

/** What an anchor is made of. */
export interface AnchorParts {
  /** Its name. */
  readonly handle: StreamHandle;
  /** Schema of its items. */
  readonly schema: AnySchema | undefined;
  /** Whether it takes many senders. */
  readonly many: boolean;
  /** Most senders at a time. */
  readonly maxSenders: number;
  /** Pause after which an idle sender shows that it lives. */
  readonly heartbeatMs: number;
  /** How long it lives without a sender. */
  readonly unattachedTimeoutMs: number;
  /** The wheel of its deadline. */
  readonly deadlines: Deadlines;
  /** Keeps the process alive until disposed. */
  hold(): Disposable;
  /** Called when nobody can attach any more. */
  removed(): void;
  /** Makes a ticket, whose sender is attached when it opens its stream. */
  reserve(): Reservation;
  /** Tells a sender elsewhere that its anchor was cancelled. */
  tellCancelled(to: InstanceId, name: SenderName): void;
  /** Asks a sender elsewhere to finish. */
  tellStop(to: InstanceId, name: SenderName): void;
}

/** How an anchor ended. */
interface Outcome {
  readonly ending: Ending;
  /** Thrown to one reader. */
  error: ZeromeshError | null;
}

/** The reading end of one or many streams: who is attached, what is read next, and how it ends. */
export class AnchorCore<T> {
  /** What it is made of. */
  readonly parts: AnchorParts;
  readonly #reader: ItemReader<T>;
  readonly #what: string;
  readonly #attached = new Map<number, Attachment>();
  readonly #ready = new Deque<Attachment>();
  readonly #end = new EndOf();
  readonly #unattached = new Alarm(() => this.#expire());
  #timeoutMs: number;
  /** The ticket that nobody has used, and how long it lasts. */
  #reserved: (Reservation & { readonly timeoutMs: number }) | null = null;
  readonly #places: Shares<InstanceId>;
  #senders = 0;
  #stopping = false;
  #open = true;
  #outcome: Outcome | null = null;
  #turns = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting: PromiseWithResolvers<void> | null = null;

  /** Starts the time without a sender. */
  constructor(parts: AnchorParts) {
    this.parts = parts;
    this.#what = `anchor ${parts.handle}`;
    this.#reader = new ItemReader(parts.schema, this.#what);
    this.#timeoutMs = parts.unattachedTimeoutMs;
    this.#places = new Shares(parts.maxSenders);
    parts.deadlines.add(this.#unattached, this.#timeoutMs);
  }

  /** Resolves to why it ended. */
  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  /** Whether it has ended, though items may be left to read. */
  get ended(): boolean {
    return this.#outcome !== null;
  }

  /** Senders that are attached. */
  get live(): number {
    return this.#places.taken;
  }

  /** Takes a place for a sender of a peer, or of this instance (null), which {@link attach} uses. False without one. */
  admit(peer: InstanceId | null): boolean {
    const { many, maxSenders } = this.parts;
    return this.#attached.size < (many ? 2 * maxSenders : maxUnread) && this.#places.take(peer);
  }

  /**
   * Attaches a sender, which was admitted.
   *
   * @returns The sender's number.
   * @throws The error of `bind`; its place is free then.
   */
  attach(arriving: Arriving): number {
    let attachment: Attachment;
    try {
      attachment = new Attachment(this.#senders + 1, arriving, this.#readable);
    } catch (error) {
      this.#places.give(arriving.peer);
      throw error;
    }
    this.#senders++;
    this.#attached.set(attachment.sender, attachment);
    this.#release();
    this.parts.deadlines.remove(this.#unattached);
    if (this.#stopping) this.#stop(attachment);
    this.#readable(attachment);
    return attachment.sender;
  }

  /** The sender with a name, if it is attached. */
  find(match: (attachment: Attachment) => boolean): Attachment | undefined {
    for (const attachment of this.#attached.values()) {
      if (!attachment.over && match(attachment)) return attachment;
    }
    return undefined;
  }

  /** Lets a sender leave; what it sent before can be read. */
  leave(attachment: Attachment, end: StreamEnd): void {
    attachment.leave(end);
    this.#readable(attachment);
  }

  /** Undoes an attachment, as if it had never been. */
  undo(attachment: Attachment): void {
    this.#over(attachment, true);
    attachment.cancel();
    this.#attached.delete(attachment.sender);
  }

  /** Makes a ticket. Until it is used, the anchor lives as long as the ticket. @throws {ZeromeshError} */
  reserve(timeoutMs: number): StreamTicket {
    const cannot = `Cannot make a ticket for ${this.#what}`;
    if (this.ended || !this.#open) throw new ZeromeshError("CLOSED", `${cannot}: it has ended`);
    if (this.#reserved !== null) {
      throw new ZeromeshError("STREAM_TAKEN", `${cannot}: it has one that nobody has used`);
    }
    if (this.live > 0 || this.#attached.size >= maxUnread) {
      throw new ZeromeshError("STREAM_TAKEN", `${cannot}: it has a sender, or too many to be read`);
    }
    const reserved = this.#reserved = { ...this.parts.reserve(), timeoutMs };
    this.renew();
    return reserved.ticket;
  }

  /** Somebody who may send later asks for more time. @param session That of the ticket; null for the handle alone. */
  prolong(session: bigint | null): void {
    if (this.#reserved === null || this.#reserved.session === session) this.renew();
  }

  /** Changes how long it lives without a sender and without a ticket. */
  changeTimeout(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
    if (this.#reserved === null) this.renew();
  }

  /** Starts the time without a sender anew. */
  renew(): void {
    const { deadlines } = this.parts;
    deadlines.remove(this.#unattached);
    if (this.live > 0 || !this.#open || this.ended) return;
    deadlines.add(this.#unattached, this.#reserved?.timeoutMs ?? this.#timeoutMs);
  }

  /** Asks the senders to finish, also those that attach later. */
  stop(): void {
    if (this.#stopping) return;
    this.#stopping = true;
    for (const attachment of this.#attached.values()) if (!attachment.over) this.#stop(attachment);
  }

  /** Ends it for its reader and its senders, and drops what waits. */
  cancel(ending: Ending = "cancelled"): void {
    this.finish({ ending, error: ending instanceof ZeromeshError ? ending : null });
    this.#ready.clear();
    const senders = [...this.#attached.values()];
    this.#attached.clear();
    for (const attachment of senders) this.#cancel(attachment);
  }

  /** Ends it behind what waits. */
  finish(outcome: Outcome): void {
    if (this.#outcome !== null) return;
    this.#outcome = outcome;
    this.#release();
    this.parts.deadlines.remove(this.#unattached);
    this.#end.tell(outcome.ending);
    this.parts.removed();
    this.#wake();
  }

  /**
   * The next frame; null at the end.
   *
   * @throws {ZeromeshError} The end of an anchor that failed; once.
   */
  next(): Promise<AnchorFrame<T> | null> {
    let begun: Promise<AnchorFrame<T>> | undefined;
    if (this.#turns === 0) {
      try {
        const found = this.#poll();
        if (found instanceof Promise) begun = found;
        else if (found !== undefined) return Promise.resolve(found);
      } catch (error) {
        return Promise.reject(error);
      }
    }
    // Later readers wait for this one, so that each item goes to the reader that has waited longest.
    this.#turns++;
    const turn = this.#tail.then(() => this.#wait(begun)).finally(() => this.#turns--);
    this.#tail = turn.then(nothing, nothing);
    return turn;
  }

  async #wait(begun: Promise<AnchorFrame<T>> | undefined): Promise<AnchorFrame<T> | null> {
    for (let found = begun ?? this.#poll();; found = this.#poll()) {
      if (found !== undefined) return await found;
      this.#waiting = Promise.withResolvers();
      using _held = this.parts.hold();
      await this.#waiting.promise;
    }
  }

  /** The next frame, if there is one now. */
  #poll(): AnchorFrame<T> | Promise<AnchorFrame<T>> | null | undefined {
    const { many } = this.parts;
    for (let from = this.#ready.peek(); from !== undefined; from = this.#ready.peek()) {
      const frame = from.take();
      if (frame === undefined) {
        this.#ready.shift();
        from.queued = false;
        const left = this.#attached.has(from.sender) ? from.ended : null;
        const event = left === null ? undefined : this.#left(from, left);
        if (event !== undefined) return event;
        continue;
      }
      if (many && this.#ready.size > 1) this.#ready.push(this.#ready.shift()!);
      const read = this.#read(from, frame);
      if (read !== undefined) return read;
    }
    if (this.#outcome === null) return undefined;
    const { error } = this.#outcome;
    this.#outcome.error = null;
    if (error !== null) throw error;
    return null;
  }

  #read(from: Attachment, frame: Uint8Array): AnchorFrame<T> | Promise<AnchorFrame<T>> | undefined {
    try {
      const read = this.#reader.read(frame, from.sender, from.items + 1);
      if (read === undefined) return undefined;
      if (read instanceof Promise) {
        from.items++;
        return read.catch((error: ZeromeshError) => this.#refuse(from, error));
      }
      if (read.type === "item") from.items++;
      return read;
    } catch (error) {
      from.items++;
      return this.#refuse(from, error as ZeromeshError);
    }
  }

  /** An item is invalid: the end of one sender, and of no more than the item of one of many. */
  #refuse(from: Attachment, error: ZeromeshError): AnchorFrame<T> {
    if (this.parts.many) return { type: "error", sender: from.sender, error };
    this.cancel(error);
    if (this.#outcome !== null) this.#outcome.error = null;
    throw error;
  }

  /** What its reader is told about the end of a sender. */
  #left(from: Attachment, end: StreamEnd): AnchorFrame<T> | undefined {
    this.#attached.delete(from.sender);
    const { sender } = from;
    const { many } = this.parts;
    if (end.reason === "detached" || (many && end.reason === "finalized")) {
      return { type: "detached", sender };
    }
    if (end.reason === "finalized") {
      this.finish({ ending: "finalized", error: null });
      return undefined;
    }
    const error = endError(end, this.#what, from.peer);
    if (many) return { type: "dropped", sender, error };
    this.finish({ ending: error, error });
    return undefined;
  }

  readonly #readable = (from: Attachment): void => {
    if (from.ended !== null) this.#over(from, this.parts.many || from.ended.reason === "detached");
    if (!this.#attached.has(from.sender) || from.queued) return;
    from.queued = true;
    this.#ready.push(from);
    this.#wake();
  };

  /** A sender is not attached any more. @param open Whether another one may follow. */
  #over(from: Attachment, open: boolean): void {
    if (from.over || !this.#attached.has(from.sender)) return;
    from.over = true;
    this.#places.give(from.peer);
    if (!open) {
      this.#open = false;
      this.parts.removed();
    } else if (this.live === 0) this.renew();
  }

  #expire(): void {
    // The senders of an anchor for many come and go, so that their staying away is its regular end.
    if (this.parts.many && this.#senders > 0) return this.finish({ ending: "unattached", error: null });
    const error = new ZeromeshError(
      "TIMEOUT",
      this.#reserved === null
        ? `No sender attached to ${this.#what} within ${this.#timeoutMs} ms (unattachedTimeoutMs)`
        : `Nobody used the ticket of ${this.#what} within ${this.#reserved.timeoutMs} ms (timeoutMs)`,
    );
    this.finish({ ending: error, error });
  }

  /** Makes its ticket void. */
  #release(): void {
    this.#reserved?.release();
    this.#reserved = null;
  }

  #cancel(attachment: Attachment): void {
    const { peer, name } = attachment;
    if (!attachment.over) {
      attachment.over = true;
      this.#places.give(peer);
      if (peer !== null && name !== null) this.parts.tellCancelled(peer, name);
    }
    attachment.cancel();
  }

  #stop(attachment: Attachment): void {
    const { peer, name } = attachment;
    if (peer !== null && name !== null) this.parts.tellStop(peer, name);
    attachment.stop();
  }

  #wake(): void {
    this.#waiting?.resolve();
    this.#waiting = null;
  }
}

function nothing(): void {}
