import { type AnySchema, Deadlines, errorText, type InstanceId, ZeromeshError } from "../../core/mod.ts";
import type { SystemPort, SystemSender } from "../../messenger/mod.ts";
import type { StreamMux, StreamWindow } from "../byte_stream.ts";
import {
  type AttachAnswer,
  type AttachRequest,
  cancelStreamHandler,
  encodeSenderMessage,
  muxTransport,
  type Renewal,
  type SenderName,
  stopStreamHandler,
} from "../wire/control.ts";
import {
  handleOf,
  handleText,
  hasManySenders,
  localOfHandle,
  manySendersBit,
  type StreamHandle,
} from "../wire/handle.ts";
import type { AnchorStats } from "../stream_stats.ts";
import { AnchorCore } from "./anchor_core.ts";
import type { Arriving, Attachment } from "./attachment.ts";
import type { SenderCore } from "./sender_core.ts";
import { type Reservation, ticketOf, ticketSession } from "./ticket.ts";

/** What a sender of plain Velo may send before credit comes. */
const plainWindow: StreamWindow = Object.freeze({ items: 32, bytes: 1024 * 1024 });

/** The settings of an anchor. */
export interface AnchorSettings {
  /** Schema of its items. */
  readonly schema: AnySchema | undefined;
  /** Whether it takes many senders. */
  readonly senders: "one" | "many";
  /** Most senders at a time, if it takes many. */
  readonly maxSenders: number;
  /** How long it lives without a sender. */
  readonly unattachedTimeoutMs: number;
  /** Pause after which an idle sender shows that it lives. */
  readonly heartbeatMs: number;
}

/** Why a reader does not accept a sender, in Velo's words. */
const words = {
  forMany: (handle: string) => `anchor ${handle} is mpsc; use _mpsc_anchor_attach`,
  forOne: (handle: string) => `anchor ${handle} is spsc; use _anchor_attach`,
  unknown: (handle: string, many: boolean) => `${many ? "mpsc " : ""}anchor ${handle} not found`,
  taken: (handle: string) => `anchor ${handle} already attached`,
  full: (handle: string, most: number) => `mpsc anchor ${handle} reached max_senders limit ${most}`,
  transport: "transport error: peer does not support the messenger mux required by this instance",
  failed: (why: string) => `transport error: ${why}`,
};

const encoder = new TextEncoder();
const cancelName = encoder.encode(cancelStreamHandler);
const stopName = encoder.encode(stopStreamHandler);

/** The anchors and senders of a messenger. */
export class AnchorTable {
  /** The messenger. */
  readonly port: SystemPort;
  /** Its streams. */
  readonly mux: StreamMux;
  /** The wheel of all deadlines. */
  readonly deadlines: Deadlines;
  readonly #anchors = new Map<StreamHandle, AnchorCore<unknown>>();
  readonly #senders = new Map<bigint, { readonly core: SenderCore; readonly reader: InstanceId | null }>();
  readonly #maxAnchors: number;
  #refusals = 0;
  #closed = false;

  /** @param maxAnchors Most anchors at a time. */
  constructor(port: SystemPort, mux: StreamMux, maxAnchors: number) {
    this.port = port;
    this.mux = mux;
    this.#maxAnchors = maxAnchors;
    this.deadlines = new Deadlines(port.clock);
  }

  /** A snapshot of the counters. */
  stats(): AnchorStats {
    return { anchors: this.#anchors.size, senders: this.#senders.size, attachRefusals: this.#refusals };
  }

  /** The anchor with a handle. */
  get(handle: StreamHandle): AnchorCore<unknown> | undefined {
    return this.#anchors.get(handle);
  }

  /** Makes an anchor. @throws {ZeromeshError} `LIMIT_REACHED`, `CLOSED`. */
  add(settings: AnchorSettings): AnchorCore<unknown> {
    this.requireOpen("Cannot make an anchor");
    if (this.#anchors.size >= this.#maxAnchors) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `Cannot make an anchor: this instance has ${this.#anchors.size}, and that is the limit`,
      );
    }
    const { port } = this;
    const many = settings.senders === "many";
    const local = this.mux.newId() | (many ? manySendersBit : 0n);
    const handle = handleOf(port.workerId, local);
    const core: AnchorCore<unknown> = new AnchorCore<unknown>({
      ...settings,
      handle,
      many,
      maxSenders: many ? settings.maxSenders : 1,
      deadlines: this.deadlines,
      hold: () => port.hold(),
      removed: () => void this.#anchors.delete(handle),
      reserve: () => this.#reserve(core),
      tellCancelled: (to, name) => this.#tell(cancelName, to, name),
      tellStop: (to, name) => this.#tell(stopName, to, name),
    });
    this.#anchors.set(handle, core);
    return core;
  }

  /** Attaches a sender of another instance. */
  attach(request: AttachRequest, from: SystemSender | null, many: boolean): AttachAnswer {
    const answer = this.#attach(request, from, many);
    if ("refused" in answer) this.#refusals++;
    return answer;
  }

  #attach(request: AttachRequest, from: SystemSender | null, many: boolean): AttachAnswer {
    const { handle, sender, transports } = request;
    const text = handleText(handle);
    if (hasManySenders(handle) !== many) return { refused: many ? words.forOne(text) : words.forMany(text) };
    const core = this.#anchors.get(handle);
    if (core === undefined) return { refused: words.unknown(text, many) };
    const { maxSenders, heartbeatMs } = core.parts;
    if (!transports.includes(muxTransport)) return { refused: words.transport };
    if (from === null) return { refused: words.failed("the sender's instance is not known") };
    const peer = from.instanceId;
    if (!core.admit(peer)) return { refused: many ? words.full(text, maxSenders) : words.taken(text) };
    const window = this.mux.supports(peer) ? this.mux.window : plainWindow;
    const session = this.mux.newId();
    let number: number;
    try {
      number = core.attach(this.#arriving(core, peer, sender, session, window));
    } catch (error) {
      return { refused: words.failed(errorText(error)) };
    }
    return {
      terms: {
        transport: muxTransport,
        heartbeatMs,
        session,
        items: window.items,
        bytes: window.bytes,
        senderId: many ? BigInt(number) : null,
      },
    };
  }

  /** A sender of another instance, whose stream is bound as it is attached. */
  #arriving(
    { parts: { handle, heartbeatMs } }: AnchorCore<unknown>,
    peer: InstanceId,
    name: SenderName | null,
    session: bigint,
    window: StreamWindow,
  ): Arriving {
    const anchor = localOfHandle(handle);
    const creditsBytes = this.mux.supports(peer);
    return {
      peer,
      name,
      bind: (events) => this.mux.bind(peer, { anchor, session, window, creditsBytes, heartbeatMs }, events),
    };
  }

  /** Makes a ticket, whose terms are the same for everybody, since it is not known who will use it. */
  #reserve(core: AnchorCore<unknown>): Reservation {
    const { handle, heartbeatMs } = core.parts;
    const { window } = this.mux;
    const session = ticketSession();
    const prepared = this.mux.prepare(localOfHandle(handle), session, (peer) => {
      if (!core.admit(peer)) return;
      try {
        core.attach(this.#arriving(core, peer, null, session, window));
      } catch (error) {
        // Its writer is told that the stream is unknown, and the anchor goes on waiting.
        this.port.logger.warn("a ticket's stream could not be opened", { handle: String(handle), error });
      }
    });
    return {
      session,
      ticket: ticketOf(session, heartbeatMs, window),
      release: () => prepared[Symbol.dispose](),
    };
  }

  /** Undoes an attachment, if its sender asks for it. */
  abort(handle: StreamHandle, name: SenderName, from: SystemSender | null): void {
    const core = this.#anchors.get(handle);
    const attachment = core?.find((one) => isSame(one.name, name) && isFrom(one, from));
    if (attachment !== undefined) core?.undo(attachment);
  }

  /** A sender leaves, or finishes, by a message. Others than attached senders are ignored. */
  leave(handle: StreamHandle, from: SystemSender | null, reason: "detached" | "finalized"): void {
    const core = this.#anchors.get(handle);
    if (core === undefined || hasManySenders(handle)) return;
    const attachment = core.find(() => true);
    if (attachment === undefined) {
      if (reason === "finalized") core.finish({ ending: "finalized", error: null });
    } else if (isFrom(attachment, from)) core.leave(attachment, { reason, text: "" });
  }

  /** One of many senders leaves by a message. */
  leaveMany(handle: StreamHandle, senderId: bigint, from: SystemSender | null): void {
    const core = this.#anchors.get(handle);
    if (core === undefined || !hasManySenders(handle)) return;
    const attachment = core.find((one) => BigInt(one.sender) === senderId && isFrom(one, from));
    if (attachment !== undefined) core.leave(attachment, { reason: "detached", text: "" });
  }

  /** Removes an anchor, if its only sender's instance asks for it, or somebody while it has none. */
  cancel(handle: StreamHandle, from: SystemSender | null, many: boolean): void {
    const core = this.#anchors.get(handle);
    if (core === undefined || hasManySenders(handle) !== many) return;
    if (core.find((one) => !isFrom(one, from)) === undefined) core.cancel();
  }

  /** Keeps anchors without a sender alive. */
  renew(renewals: readonly Renewal[]): void {
    for (const { handle, session } of renewals) this.#anchors.get(handle)?.prolong(session);
  }

  /** A sender of this instance. @param reader The reader's instance; null for this one. */
  addSender(stream: bigint, core: SenderCore, reader: InstanceId | null): void {
    this.#senders.set(stream, { core, reader });
  }

  /** A sender has ended. */
  removeSender(stream: bigint): void {
    this.#senders.delete(stream);
  }

  /** A sender of this instance, for its reader's messages. */
  senderFor(stream: bigint, from: SystemSender | null): SenderCore | null {
    const sender = this.#senders.get(stream);
    return sender !== undefined && from !== null && sender.reader === from.instanceId ? sender.core : null;
  }

  /** @throws {ZeromeshError} `CLOSED`. */
  requireOpen(cannot: string): void {
    if (this.#closed) throw new ZeromeshError("CLOSED", `${cannot}: this instance is closed`);
  }

  /** Other instances of this library learn it from the stream itself. */
  #tell(handler: Uint8Array, to: InstanceId, { stream }: SenderName): void {
    if (!this.mux.supports(to)) this.port.notify(handler, to, encodeSenderMessage(stream));
  }

  /** Ends everything: the instance closes. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const closed = new ZeromeshError("CLOSED", "This instance closed while the stream was open");
    const anchors = [...this.#anchors.values()];
    for (const { core } of [...this.#senders.values()]) core.giveUp(closed);
    for (const anchor of anchors) anchor.cancel(closed);
    this.deadlines.close();
  }
}

function isFrom(attachment: Attachment, from: SystemSender | null): boolean {
  return from !== null && attachment.peer === from.instanceId;
}

function isSame(one: SenderName | null, other: SenderName): boolean {
  return one?.worker === other.worker && one.stream === other.stream;
}
