import {
  Broadcast,
  Condition,
  type DroppedEntries,
  type Ending,
  EndOf,
  type SubscribeOptions,
  type ZeromeshError,
} from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { turnShareOf } from "../../streams/mod.ts";
import { encodeItem } from "../../wire/mod.ts";
import {
  type ChannelCloseOptions,
  ChannelHost,
  type ChannelNotice,
  type ChannelRole,
  type ChannelRun,
  type ChannelSendLimits,
  type ChannelSendOptions,
  type ChannelStats,
  type ChannelWindow,
  type ClosedChannel,
  type ConnectedConsumer,
  handleClosed,
  MessageSource,
  MessageWindow,
  Outbound,
  refused,
  sendLimits,
  windowOf,
} from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import { agreementOf } from "../schema_agreement.ts";
import type { Blake2b } from "./blake2b.ts";
import { encodeDataFrame, schemaTag } from "./data_frames.ts";
import { Lane } from "./plain_lane.ts";
import type { PlainReader, PlainSocket } from "./plain_sockets.ts";
import { noFrames, PlainStream } from "./plain_stream.ts";

/** What both sides of a channel of plain data are made of. */
export interface PlainParts {
  readonly port: SystemPort;
  readonly contract: ChannelContract;
  /** Checked already. */
  readonly options: ChannelSendLimits & { readonly window?: ChannelWindow | undefined };
  readonly blake2b: Blake2b;
  /** The shared memory that the channel offers, for people. */
  readonly sharedMemory: string | null;
  /** The handle was closed: whoever announced it takes that back. */
  left(timeoutMs: number): Promise<unknown> | void;
}

/** One side of a channel whose data travels over sockets of ZeroMQ. */
export abstract class PlainSide implements ChannelRun {
  abstract readonly role: ChannelRole;
  readonly contract: ChannelContract;
  readonly source: MessageSource | null;
  /** What this side sends; null if it only receives. */
  protected readonly outbound: Outbound | null;
  protected readonly parts: PlainParts;
  protected readonly tag: Uint8Array;
  protected state: "open" | "closing" | "ended" = "open";
  readonly #socket: PlainSocket;
  readonly #notices = new Broadcast<ChannelNotice>();
  readonly #end = new EndOf();
  readonly #moved: Condition;
  readonly #hold: Disposable;
  readonly #frames = noFrames();
  #reading: Promise<void> = Promise.resolve();
  #room: (() => void) | null = null;
  #closing: Promise<ClosedChannel> | null = null;
  #gaps = 0;
  #invalid = 0;
  #lost = 0;

  constructor(parts: PlainParts, socket: PlainSocket, sends: boolean) {
    this.parts = parts;
    const { port, contract, options } = parts;
    this.contract = contract;
    this.#socket = socket;
    this.tag = schemaTag(agreementOf(contract).hash);
    this.#moved = new Condition(port.clock);
    this.source = socket.reader === null
      ? null
      : new MessageSource(turnShareOf(port.clock), () => void this.close({}).catch(() => {}));
    this.outbound = sends
      ? new Outbound({
        channel: contract.name,
        codec: { keep: encodePlain },
        schema: this.sentSchema(),
        sending: {
          send: (message, options) => this.sendPayload(encodePlain(message), options),
          sendKept: (kept, options) => this.sendPayload(kept as Uint8Array, options),
        },
        maxUnsent: sendLimits(options, contract.pattern).maxUnsent,
        checked: () => this.look(),
      })
      : null;
    this.#hold = port.hold();
    ChannelHost.of(port).keep(this);
  }

  /** The schema of what this side sends. */
  protected abstract sentSchema(): ChannelContract["message"];
  /** Sends a message in MessagePack. */
  protected abstract sendPayload(payload: Uint8Array, options: ChannelSendOptions | null): Promise<void>;
  /** Its lanes. */
  protected abstract lanes(): Iterable<Lane>;
  abstract consumers(): ConnectedConsumer[];

  get sharedMemory(): string | null {
    return this.parts.sharedMemory;
  }

  get isValid(): boolean {
    return this.state === "open";
  }

  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  send(message: unknown, options: ChannelSendOptions | null | undefined): Promise<void> {
    if (this.outbound !== null) return this.outbound.send(message, options);
    const { name, pattern } = this.contract;
    return refused(new TypeError(`Cannot send to channel "${name}": consumers of a ${pattern} only receive`));
  }

  notices(options: SubscribeOptions | undefined): AsyncIterableIterator<ChannelNotice | DroppedEntries> {
    return this.#notices.subscribe(options);
  }

  stats(): ChannelStats {
    const lanes = [...this.lanes()];
    const sum = (of: (lane: Lane) => number): number => lanes.reduce((total, lane) => total + of(lane), 0);
    return {
      sent: this.outbound?.sent ?? 0,
      received: this.source?.received ?? 0,
      queued: sum(({ queued }) => queued),
      waiting: sum(({ waiting }) => waiting) + (this.outbound?.checking ?? 0),
      dropped: sum(({ dropped }) => dropped),
      unread: this.source?.size ?? 0,
      gaps: this.#gaps,
      invalid: this.#invalid,
      consumers: this.consumers().length,
      unconfirmed: 0,
      frames: { ...this.#frames },
    };
  }

  closing(reason: string): void {
    this.publish({ type: "closing", reason });
  }

  close({ timeoutMs = 5_000 }: ChannelCloseOptions): Promise<ClosedChannel> {
    return this.#closing ??= this.#close(timeoutMs);
  }

  invalidate(reason: string, error?: ZeromeshError): void {
    this.source?.drop();
    void this.finish(0, reason, error);
  }

  protected publish(notice: ChannelNotice): void {
    this.#notices.publish(notice);
  }

  /** A lane of its own window. */
  protected lane(deliver: (frame: Uint8Array) => Promise<void>): Lane {
    const { port: { clock }, contract: { name, pattern }, options } = this.parts;
    const limits = sendLimits(options, pattern);
    const window = new MessageWindow({ limits, clock, whose: `channel "${name}"` });
    return new Lane(window, deliver, () => this.look());
  }

  /** The next frame of a lane. */
  protected frame(lane: { sequence: number }, payload: Uint8Array): Uint8Array {
    return encodeDataFrame(this.tag, ++lane.sequence, payload, this.parts.blake2b);
  }

  /** What arrives of one sender. */
  protected stream(from: number | null, schema: ChannelContract["message"]): PlainStream {
    const { contract: { name, pattern }, blake2b } = this.parts;
    return new PlainStream({
      channel: name,
      schema,
      tag: this.tag,
      blake2b,
      from,
      counts: this.#frames,
      numbered: pattern !== "pipeline",
      gap: (count) => {
        this.#gaps += count ?? 0;
        this.publish({ type: "gap", from, count });
      },
      taken: () => this.#room?.(),
      invalid: () => this.#invalid++,
    });
  }

  /** Begins to receive. @param streamOf The stream of a message, and its frame; null drops it. */
  protected read(
    reader: PlainReader,
    streamOf: (parts: readonly Uint8Array[]) => { stream: PlainStream; frame: Uint8Array } | null,
  ): void {
    this.#reading = this.#read(reader, streamOf).catch((error) =>
      this.invalidate("its socket has failed", error)
    );
  }

  /** What waits may have left. */
  protected look(): void {
    if (this.state === "closing") this.#moved.changed();
  }

  /** Ends it. Resolves when the socket is closed. */
  protected async finish(lingerMs: number, reason: string, error?: ZeromeshError): Promise<void> {
    if (this.state === "ended") return;
    this.state = "ended";
    ChannelHost.of(this.parts.port).release(this);
    const refusal = error ?? handleClosed(this.contract.name, reason);
    this.outbound?.end(refusal);
    for (const lane of this.lanes()) this.#lost += lane.end(refusal);
    if (error === undefined) this.source?.finish();
    else this.source?.fail(error);
    this.#notices.close();
    this.#moved.changed();
    this.#room?.();
    this.#end.tell(error ?? reason);
    try {
      await this.#socket.close(lingerMs);
      await this.#reading;
    } finally {
      this.#hold[Symbol.dispose]();
    }
  }

  async #close(timeoutMs: number): Promise<ClosedChannel> {
    if (this.state === "open") this.state = "closing";
    this.outbound?.refuse(handleClosed(this.contract.name, "its handle was closed"));
    const { clock } = this.parts.port;
    const began = clock.now();
    const left = (): number => Math.max(0, timeoutMs - (clock.now() - began));
    const idle = (): boolean =>
      this.state === "ended" ||
      (this.outbound?.checking === 0 && [...this.lanes()].every((lane) => lane.idle));
    // What waits when the time is up is lost, which the result tells.
    if (this.outbound !== null) await this.#moved.until(idle, { timeoutMs }).catch(() => {});
    // At once, before whoever waits for the end: it is taken back, and not given up for lost.
    const finished = this.finish(left(), "closed");
    const taken = this.parts.left(left());
    await finished;
    await taken;
    return { lost: this.#lost };
  }

  async #read(
    reader: PlainReader,
    streamOf: (parts: readonly Uint8Array[]) => { stream: PlainStream; frame: Uint8Array } | null,
  ): Promise<void> {
    const { items, bytes } = windowOf(this.parts.options.window);
    for await (const parts of reader) {
      const to = streamOf(parts);
      if (to === null || !to.stream.receive(to.frame)) continue;
      const { stream } = to;
      this.source!.arrived(stream);
      // What is not read stays with libzmq, and then with the sender.
      while (this.state !== "ended" && (stream.size >= items || stream.bytes >= bytes)) {
        await new Promise<void>((resolve) => this.#room = resolve);
      }
    }
  }
}

/** A message in MessagePack for programs that do not know this library. @throws {ZeromeshError} `ENCODING_FAILED`. */
function encodePlain(message: unknown): Uint8Array {
  return encodeItem(message, true);
}
