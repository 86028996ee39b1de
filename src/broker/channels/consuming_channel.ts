import {
  Backoff,
  Broadcast,
  Condition,
  type DroppedEntries,
  type Ending,
  EndOf,
  type ErrorCode,
  type InstanceId,
  pause,
  type SubscribeOptions,
  ZeromeshError,
} from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { ItemCodec, type StreamEnd, type StreamWindow, turnShareOf } from "../../streams/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { ChannelRun, ChannelStats, ClosedChannel } from "./channel_run.ts";
import { handleClosed, refused } from "./failures.ts";
import { ChannelHost, type Invitation, invitationOf, invitationView, openContract } from "./hosting.ts";
import { Incoming } from "./incoming.ts";
import { LinkSending } from "./link_sending.ts";
import { MessageSource } from "./message_source.ts";
import { MessageWindow } from "./message_window.ts";
import type { ChannelNotice } from "./notices.ts";
import {
  type ChannelCloseOptions,
  type ChannelSendOptions,
  type ConsumeOptions,
  sendLimits,
  windowOf,
} from "./options.ts";
import { Outbound } from "./outbound.ts";

/** Where a consumer opens its channel. */
export interface ProducerRoute {
  /** The instance, which has a connection: the producer, or the broker that relays. */
  readonly instance: InstanceId;
  /** The consumer's presence. */
  readonly presence: number;
}

/** Finds the producer of a channel. */
export interface ProducerSource {
  /**
   * Resolves when an instance to open the channel at is connected.
   *
   * @throws If there will be none: the handle ends with this error.
   */
  route(signal: AbortSignal): Promise<ProducerRoute>;
}

/** What a consumer's channel is made of. */
export interface ConsumerParts<Contract extends ChannelContract = ChannelContract> {
  readonly port: SystemPort;
  readonly contract: Contract;
  /** Checked already. */
  readonly options?: ConsumeOptions | undefined;
  /** The shared memory that the channel offers, for people. */
  readonly sharedMemory?: string | null | undefined;
  readonly source: ProducerSource;
  /** The handle was closed: whoever announced it takes that back. A rejection is the close's. */
  left?(timeoutMs: number): Promise<unknown> | void;
}

/** Refusals that another attempt would meet again. */
const final: ReadonlySet<ErrorCode> = new Set([
  "FORBIDDEN",
  "PATTERN_MISMATCH",
  "PEER_LACKS_FEATURE",
  "CLOSED",
]);
const openTimeoutMs = 10_000;
const retry = { firstMs: 20, maxMs: 1_000 };

/** A channel that this instance consumes. */
export class ConsumingChannel implements ChannelRun {
  readonly role = "consumer";
  readonly contract: ChannelContract;
  readonly source: MessageSource;
  /** Resolves when the channel is open for the first time; rejects if that cannot be. It need not be awaited. */
  readonly opened: Promise<void>;
  readonly #parts: ConsumerParts;
  readonly #host: ChannelHost;
  readonly #codec: ItemCodec;
  readonly #window: StreamWindow;
  readonly #first = Promise.withResolvers<void>();
  readonly #abort = new AbortController();
  readonly #notices = new Broadcast<ChannelNotice>();
  readonly #end = new EndOf();
  readonly #moved: Condition;
  readonly #hold: Disposable;
  /** What it sends, with the pattern bidirectional. */
  readonly #sending: LinkSending | null = null;
  readonly #outbound: Outbound | null = null;
  #state: "open" | "closing" | "ended" = "open";
  #closing: Promise<ClosedChannel> | null = null;
  #incoming: Incoming | null = null;
  #connected = false;
  /** The run of the producer, and the number of the message that it sends next. */
  #run = "";
  #gaps = 0;
  #invalid = 0;
  #lost = 0;

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
    const { port, contract, options = {} } = parts;
    this.contract = contract;
    const { name, pattern, encoding, reply } = contract;
    this.#host = ChannelHost.of(port);
    this.#window = windowOf(options.window);
    this.#codec = new ItemCodec(encoding);
    this.#moved = new Condition(port.clock);
    this.source = new MessageSource(turnShareOf(port.clock), () => void this.close({}).catch(() => {}));
    if (pattern === "bidirectional") {
      const limits = sendLimits(options, pattern);
      const window = new MessageWindow({ limits, clock: port.clock, whose: `channel "${name}"` });
      const { maxFrameBytes } = this.#host.mux;
      const turns = turnShareOf(port.clock);
      this.#sending = new LinkSending({ codec: this.#codec, window, maxFrameBytes, turns });
      this.#outbound = new Outbound({
        channel: name,
        codec: this.#codec,
        schema: reply,
        sending: this.#sending,
        maxUnsent: limits.maxUnsent,
        checked: () => this.#look(),
      });
    }
    this.#hold = port.hold();
    this.#host.keep(this);
    this.opened = this.#first.promise;
    this.opened.catch(() => {});
    void this.#goOn();
  }

  get name(): string {
    return this.contract.name;
  }

  get sharedMemory(): string | null {
    return this.#parts.sharedMemory ?? null;
  }

  get isValid(): boolean {
    return this.#state === "open";
  }

  get closed(): Promise<Ending> {
    return this.#end.closed;
  }

  send(message: unknown, options: ChannelSendOptions | null | undefined): Promise<void> {
    const outbound = this.#outbound;
    if (outbound !== null) return outbound.send(message, options);
    const { name, pattern } = this.contract;
    return refused(new TypeError(`Cannot send to channel "${name}": consumers of a ${pattern} only receive`));
  }

  notices(options: SubscribeOptions | undefined): AsyncIterableIterator<ChannelNotice | DroppedEntries> {
    return this.#notices.subscribe(options);
  }

  consumers(): [] {
    return [];
  }

  stats(): ChannelStats {
    const window = this.#sending?.window;
    return {
      sent: this.#outbound?.sent ?? 0,
      received: this.source.received,
      queued: window?.size ?? 0,
      waiting: (window?.senders ?? 0) + (this.#outbound?.checking ?? 0),
      dropped: window?.dropped ?? 0,
      unread: this.source.size,
      gaps: this.#gaps,
      invalid: this.#invalid,
      consumers: 0,
      unconfirmed: this.#sending?.unconfirmed ?? 0,
    };
  }

  closing(reason: string): void {
    this.#notices.publish({ type: "closing", reason });
  }

  close({ timeoutMs = 5_000 }: ChannelCloseOptions): Promise<ClosedChannel> {
    // What nobody reads on must not keep room of the connection.
    if (this.#state === "ended" && !this.source.reading) this.source.drop();
    return this.#closing ??= this.#close(timeoutMs);
  }

  invalidate(reason: string, error?: ZeromeshError): void {
    this.#finish(reason, error);
    this.#incoming?.cancel();
    this.source.drop();
  }

  async #close(timeoutMs: number): Promise<ClosedChannel> {
    if (this.#state === "open") this.#state = "closing";
    this.#outbound?.refuse(handleClosed(this.name, "its handle was closed"));
    const { clock } = this.#parts.port;
    const began = clock.now();
    const sending = this.#sending;
    if (sending !== null) {
      const left = (): boolean =>
        this.#state !== "closing" || (sending.idle && this.#outbound!.checking === 0);
      // What waits when the time is up is lost, which the result tells.
      await this.#moved.until(left, { timeoutMs }).catch(() => {});
    }
    // What has been sent to this consumer already is for whoever reads on.
    const incoming = this.#incoming;
    if (this.#connected && this.source.reading) incoming!.stop();
    else this.#finish("closed");
    const stopped = (): boolean => this.#state !== "closing";
    await this.#moved.until(stopped, { timeoutMs: this.#left(began, timeoutMs) }).catch(() => {});
    this.#finish("closed");
    await this.#parts.left?.(this.#left(began, timeoutMs));
    return { lost: this.#lost };
  }

  #left(began: number, timeoutMs: number): number {
    return Math.max(0, timeoutMs - (this.#parts.port.clock.now() - began));
  }

  /** @param keep Whether what has arrived can still be read, also by an iteration that begins later. */
  #finish(reason: string, error?: unknown, keep = this.source.reading): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#host.release(this);
    this.#abort.abort(new ZeromeshError("CLOSED", reason));
    const refusal = error ?? handleClosed(this.name, reason);
    this.#first.reject(refusal);
    this.#outbound?.end(refusal);
    this.#lost = this.#sending?.end(refusal) ?? 0;
    if (!keep) {
      // What nobody reads must not keep room of the connection.
      this.#incoming?.cancel();
      this.source.drop();
    } else if (error === undefined) this.source.finish();
    else this.source.fail(error);
    this.#notices.close();
    this.#hold[Symbol.dispose]();
    this.#moved.changed();
    this.#end.tell(error instanceof Error ? error : reason);
  }

  /** Opens the channel, again after each loss, until the handle ends. */
  async #goOn(): Promise<void> {
    const { port: { clock }, source } = this.#parts;
    const { signal } = this.#abort;
    const backoff = new Backoff(retry);
    while (this.#state !== "ended") {
      const route = await source.route(signal).catch((error) => this.#finish("it has no producer", error));
      if (route === undefined) return;
      try {
        const end = await this.#once(route, () => backoff.reset());
        if (end.reason === "finalized") {
          return this.#finish("its producer has closed the channel", undefined, true);
        }
        if (this.#state === "closing") return this.#finish("closed");
        this.#notices.publish({ type: "producerLost" });
      } catch (error) {
        if (signal.aborted) return;
        if (isFinal(error)) return this.#finish("it cannot be opened", error, true);
      }
      await pause(clock, backoff.next(), signal);
    }
  }

  /** Opens the channel once. Resolves to the end of its stream. */
  async #once({ instance, presence }: ProducerRoute, opened: () => void): Promise<StreamEnd> {
    const { port, contract: { name, pattern } } = this.#parts;
    const { mux } = this.#host;
    const ended = Promise.withResolvers<StreamEnd>();
    const incoming = this.#receive(ended.resolve);
    const own: Invitation = { anchor: mux.newId(), window: this.#window };
    const about = {
      ...own,
      session: own.anchor,
      creditsBytes: true,
      tellsReading: true,
      openMs: openTimeoutMs,
    };
    incoming.attach(mux.bind(instance, about, incoming.events));
    try {
      const { signal } = this.#abort;
      const input = { channel: name, pattern, consumer: presence, ...invitationView(own) };
      const answer = await port.call(openContract, instance, input, { timeoutMs: openTimeoutMs, signal });
      if (answer.reply !== null) this.#write(instance, invitationOf(answer.reply));
      this.#began(incoming, answer.run, answer.sequence);
      opened();
    } catch (error) {
      incoming.cancel();
      throw error;
    }
    try {
      return await ended.promise;
    } finally {
      this.#connected = false;
      this.#sending?.detach();
    }
  }

  /** The producer has accepted. */
  #began(incoming: Incoming, run: string, sequence: number): void {
    const last = this.#incoming;
    const again = last !== null;
    const same = this.#run === run;
    const numbered = this.contract.pattern === "pubsub";
    this.#incoming = incoming;
    this.#connected = true;
    this.#run = run;
    if (again) {
      this.#notices.publish({ type: "producerBack", restarted: !same });
      if (numbered && !same) this.#missed(null);
    }
    // With other patterns each stream has its own numbers.
    if (numbered) incoming.start(sequence, same ? last : null);
    else incoming.start(again ? null : sequence, last);
    this.#first.resolve();
  }

  #missed(count: number | null): void {
    this.#gaps += count ?? 0;
    this.#notices.publish({ type: "gap", from: null, count });
  }

  #write(instance: InstanceId, { anchor, window }: Invitation): void {
    const sending = this.#sending;
    if (sending === null) return;
    const about = { anchor, session: anchor, window, creditsBytes: true };
    const writer = this.#host.mux.openWriter(instance, about, {
      credit: () => {
        sending.drain();
        this.#look();
      },
    });
    sending.attach(writer, window);
    this.#look();
  }

  /** What waits may have left. */
  #look(): void {
    if (this.#state === "closing") this.#moved.changed();
  }

  #receive(ended: (end: StreamEnd) => void): Incoming {
    const { name, message } = this.contract;
    return new Incoming({
      channel: name,
      codec: this.#codec,
      schema: message,
      from: null,
      arrived: (incoming) => this.source.arrived(incoming),
      gap: (count) => this.#missed(count),
      ended,
      broken: (error) => {
        this.#invalid++;
        this.#finish("a message was invalid", error, false);
        return true;
      },
    });
  }
}

function isFinal(error: unknown): boolean {
  return !(error instanceof ZeromeshError) || final.has(error.code);
}
