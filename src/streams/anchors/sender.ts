import {
  type AnySchema,
  checkArgument,
  describeIssues,
  type Ending,
  option,
  readOptions,
  validate,
  ZeromeshError,
} from "../../core/mod.ts";
import { encodeItem } from "../../wire/mod.ts";
import { itemFrame, senderErrorFrame, terminalFrames } from "../wire/frame.ts";
import { hasManySenders, type StreamHandle } from "../wire/handle.ts";
import { type SendItemOptions, sendItemOptionTable } from "./options.ts";
import type { SenderCore } from "./sender_core.ts";

/** What a {@link StreamSender} knows about its stream. */
export interface SenderFacts {
  /** The anchor. */
  readonly handle: StreamHandle;
  /** Its number at an anchor with many senders; null at others. */
  readonly number: number | null;
  /** The transport of its stream; null within one instance. */
  readonly transport: string | null;
  /** Schema of its items. */
  readonly schema: AnySchema | undefined;
  /** Whether its reader knows standard MessagePack only. */
  readonly standard: boolean;
  /** Most items that wait for their validation. */
  readonly maxWaiting: number;
}

const cannotSend = "Cannot send an item of a stream";

/**
 * The sending end of a stream, made by `streams(messenger).attach(handle)`.
 *
 * It ends by {@link finalize} when everything was sent, or by {@link detach} when another sender follows. Without either
 * the reader gets `STREAM_DROPPED`.
 *
 * @typeParam T Type of an item.
 */
export class StreamSender<T> implements AsyncDisposable {
  readonly #core: SenderCore;
  readonly #facts: SenderFacts;
  #items = 0;
  #validating = 0;
  #tail: Promise<unknown> = Promise.resolve();

  /** Used by `streams(messenger).attach()`. */
  constructor(core: SenderCore, facts: SenderFacts) {
    this.#core = core;
    this.#facts = facts;
  }

  /** The anchor's name. */
  get handle(): StreamHandle {
    return this.#facts.handle;
  }

  /** The sender's number at an anchor with many senders; null at others. */
  get number(): number | null {
    return this.#facts.number;
  }

  /** The transport of its stream: `messenger-mux-v2`, or null within one instance. */
  get transport(): string | null {
    return this.#facts.transport;
  }

  /** Aborts when nobody wants items any more: the reader cancelled, or the stream broke. The reason is the error. */
  get cancelled(): AbortSignal {
    return this.#core.cancelled;
  }

  /** Aborts when the reader asks the sender to finish; it still takes items. */
  get stopping(): AbortSignal {
    return this.#core.stopping;
  }

  /**
   * Resolves to why it ended, and never rejects: `"finalized"`, `"detached"`, `"closed"`, or the error that its sends
   * get.
   */
  get closed(): Promise<Ending> {
    return this.#core.closed;
  }

  /**
   * Sends an item. The promise resolves when the reader's credit covers it, so awaiting it keeps the reader's pace. Sends
   * keep their order, and need not be awaited up to a window of them.
   *
   * @throws {ZeromeshError} `PAYLOAD_INVALID`, `ENCODING_FAILED`, `PAYLOAD_TOO_LARGE` for the item; `TIMEOUT`;
   * `QUEUE_FULL` when too many sends wait; `CANCELLED`, `PEER_DISCONNECTED`, `STREAM_FAILED`, `CLOSED` after the end.
   */
  send(item: T, given?: SendItemOptions): Promise<void> {
    try {
      const options = readOptions(given, sendItemOptionTable, cannotSend);
      const { schema } = this.#facts;
      if (schema === undefined) return this.#put(() => this.#frameOf(item), options);
      const number = ++this.#items;
      const checked: unknown = validate(
        schema,
        item,
        (issues, cause) =>
          new ZeromeshError(
            "PAYLOAD_INVALID",
            `Item ${number} of the stream to anchor ${this.handle} is invalid: ${describeIssues(issues)}`,
            { cause, details: { item: number, issues } },
          ),
      );
      if (!(checked instanceof Promise)) return this.#put(() => this.#frameOf(checked), options);
      return this.#later(checked, options);
    } catch (error) {
      return failed(error);
    }
  }

  /** Reports an error to the reader, whose loop throws it; the stream goes on. */
  sendError(message: string, given?: SendItemOptions): Promise<void> {
    try {
      const options = readOptions(given, sendItemOptionTable, "Cannot send an error of a stream");
      checkArgument("message", message, option.string, "Cannot send an error of a stream");
      return this.#put(() => senderErrorFrame(message), options);
    } catch (error) {
      return failed(error);
    }
  }

  /** Ends the stream when all items are sent. The promise resolves when its end is on its way. */
  finalize(): Promise<void> {
    const many = hasManySenders(this.handle);
    // One of many senders cannot end the anchor.
    return this.#end(many ? terminalFrames.detached : terminalFrames.finalized, "finalized");
  }

  /** Leaves the anchor when all items are sent; another sender can follow. Resolves to the anchor's handle. */
  async detach(): Promise<StreamHandle> {
    await this.#end(terminalFrames.detached, "detached");
    return this.handle;
  }

  /** Gives the stream up, unless it has ended. What waits is not sent. */
  close(): void {
    this.#core.drop("closed");
  }

  /** Same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #end(terminal: Uint8Array, ending: Ending): Promise<void> {
    try {
      if (this.#validating === 0) return this.#core.finish(terminal, ending);
      return handled(this.#tail.then(() => this.#core.finish(terminal, ending)));
    } catch (error) {
      return failed(error);
    }
  }

  #frameOf(item: unknown): Uint8Array {
    return itemFrame(encodeItem(item, this.#facts.standard));
  }

  /** Sends a frame, behind those whose validation is not done. */
  #put(frame: () => Uint8Array, options: SendItemOptions): Promise<void> {
    if (this.#validating === 0) return this.#core.send(frame(), options);
    const made = frame();
    return this.#queue(() => this.#core.send(made, options));
  }

  #later(checked: Promise<unknown>, options: SendItemOptions): Promise<void> {
    checked.catch(() => {});
    return this.#queue(async () => this.#core.send(this.#frameOf(await checked), options));
  }

  #queue(send: () => Promise<void>): Promise<void> {
    if (this.#validating >= this.#facts.maxWaiting) {
      const message = `${cannotSend}: ${this.#validating} wait for their validation; await each send`;
      throw new ZeromeshError("QUEUE_FULL", message);
    }
    this.#validating++;
    const sent = this.#tail.then(send).finally(() => this.#validating--);
    this.#tail = sent.catch(() => {});
    return handled(sent);
  }
}

/** A promise whose rejection nobody has to handle. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function failed(error: unknown): Promise<never> {
  return handled(Promise.reject(error));
}
