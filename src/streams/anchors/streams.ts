import {
  type AnySchema,
  readOptions,
  type SchemaInput,
  type SchemaOutput,
  withDefaults,
} from "../../core/mod.ts";
import { portOf, type SystemPort, type WaitOptions } from "../../messenger/mod.ts";
import { hasManySenders, type StreamHandle, streamHandle } from "../wire/handle.ts";
import { Anchor } from "./anchor.ts";
import type { AnchorCore } from "./anchor_core.ts";
import type { AnchorTable } from "./anchor_table.ts";
import { attachTo } from "./attaching.ts";
import type { AnchorFrame } from "./frames.ts";
import {
  type AnchorOptions,
  anchorOptionTable,
  type AttachOptions,
  attachOptionTable,
  type HeldAnchor,
  renewOptionTable,
  unattachedDefaultMs,
} from "./options.ts";
import { renewAll } from "./renewing.ts";
import { StreamSender } from "./sender.ts";
import { termsOf } from "./ticket.ts";

/** The type that a schema gives an item; `unknown` without a schema. */
export type ItemOutput<Schema extends AnySchema | undefined> = Schema extends AnySchema ? SchemaOutput<Schema>
  : unknown;

/** The type of an item that a schema takes; `unknown` without a schema. */
export type ItemInput<Schema extends AnySchema | undefined> = Schema extends AnySchema ? SchemaInput<Schema>
  : unknown;

const cannotMake = "Cannot make an anchor";
const cannotAttach = "Cannot attach to an anchor";
const cannotRenew = "Cannot renew anchors";

/** The anchors and senders of a messenger, as {@link streams} gives them. */
export class Streams {
  readonly #table: () => AnchorTable;

  /** Used by {@link streams}. */
  constructor(table: () => AnchorTable) {
    this.#table = table;
  }

  /**
   * Makes an anchor: the reading end of a stream. Its handle is given to a sender of whichever instance, which attaches;
   * with `senders: "many"`, to several.
   *
   * @throws {ZeromeshError} `LIMIT_REACHED`, `CLOSED`.
   * @throws {TypeError} If an option is unknown or has the wrong type.
   */
  anchor<Schema extends AnySchema | undefined = undefined>(
    options: AnchorOptions<Schema, "many"> & { readonly senders: "many" },
  ): Anchor<ItemOutput<Schema>, AnchorFrame<ItemOutput<Schema>>>;
  /** Makes an anchor with one sender at a time. */
  anchor<Schema extends AnySchema | undefined = undefined>(
    options?: AnchorOptions<Schema, "one" | undefined>,
  ): Anchor<ItemOutput<Schema>>;
  anchor(given?: AnchorOptions): Anchor<unknown, unknown> {
    const options = withDefaults(readOptions(given, anchorOptionTable, cannotMake), anchorOptionTable);
    const unattachedTimeoutMs = options.unattachedTimeoutMs ?? unattachedDefaultMs[options.senders];
    return new Anchor(this.#table().add({ ...options, unattachedTimeoutMs }) as AnchorCore<unknown>);
  }

  /**
   * Attaches a sender to an anchor. Its instance must be known, or found by discovery.
   *
   * @param handle The anchor's handle, or its decimal text.
   * @throws {ZeromeshError} `STREAM_UNKNOWN`, `STREAM_TAKEN`, `LIMIT_REACHED`, `STREAM_FAILED`, `PEER_UNKNOWN`,
   * `PEER_LACKS_FEATURE`, and the errors of a call.
   * @throws {TypeError} If the handle is none, or an option is unknown or has the wrong type.
   */
  async attach<Schema extends AnySchema | undefined = undefined>(
    handle: StreamHandle | string,
    given?: AttachOptions<Schema>,
  ): Promise<StreamSender<ItemInput<Schema>>> {
    const { schema, ticket, ...wait } = readOptions<AttachOptions>(given, attachOptionTable, cannotAttach);
    const to = streamHandle(handle);
    if (ticket !== undefined && hasManySenders(to)) {
      throw new TypeError(`${cannotAttach}: a ticket is for an anchor with one sender`);
    }
    const terms = ticket === undefined ? null : termsOf(ticket, cannotAttach);
    const { core, window, ...facts } = await attachTo(this.#table(), to, wait, terms);
    return new StreamSender(core, { ...facts, handle: to, schema, maxWaiting: window.items });
  }

  /**
   * Keeps anchors alive to which this instance will attach later: each one waits for its time without a sender, or that of
   * its ticket, anew. One that is gone, or has a sender, is passed over.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN`, `PEER_LACKS_FEATURE`, and the errors of a call, after all readers were asked.
   * @throws {TypeError} If a handle or a ticket is none, or an option is unknown or has the wrong type.
   */
  async renew(held: Iterable<HeldAnchor>, given?: WaitOptions): Promise<void> {
    const wait = readOptions(given, renewOptionTable, cannotRenew);
    const renewals = Array.from(held, ({ handle, ticket }) => ({
      handle: streamHandle(handle),
      session: ticket === undefined ? null : termsOf(ticket, cannotRenew).session,
    }));
    await renewAll(this.#table(), renewals, wait);
  }
}

const made = new WeakMap<SystemPort, Streams>();

/** Gives a messenger its streams. */
export function addStreams(port: SystemPort, table: () => AnchorTable): void {
  made.set(port, new Streams(table));
}

/**
 * The streams of a messenger, given its port.
 *
 * @throws {TypeError} If the messenger was made without them.
 * @ignore
 */
export function anchorsAt(port: SystemPort): Streams {
  const streams = made.get(port);
  if (streams !== undefined) return streams;
  throw new TypeError("Cannot use streams: the messenger was made without them");
}

/**
 * The streams of a messenger: anchors, which read, and senders, which attach to them.
 *
 * @throws {TypeError} If it is not a messenger.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { streams } from "zeromesh/streams";
 * import assert from "node:assert/strict";
 *
 * await using messenger = await Messenger.create();
 * const numbers = streams(messenger).anchor();
 *
 * const sender = await streams(messenger).attach(String(numbers.handle));
 * for (const number of [1, 2, 3]) await sender.send(number);
 * await sender.finalize();
 *
 * assert.deepEqual(await Array.fromAsync(numbers), [1, 2, 3]);
 * ```
 */
export function streams(messenger: object): Streams {
  const port = portOf(messenger);
  if (port !== undefined) return anchorsAt(port);
  throw new TypeError("Cannot use streams: the argument must be a Messenger");
}
