import {
  Broadcast,
  Condition,
  type DroppedEntries,
  type Ending,
  EndOf,
  newInstanceId,
  type SubscribeOptions,
  ZeromeshError,
} from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { ItemCodec, type StreamEnd, type StreamWindow, turnShareOf } from "../../streams/mod.ts";
import type { ChannelContract } from "../contract.ts";
import { ConsumerLink } from "./consumer_link.ts";
import { Fanout } from "./fanout.ts";
import { handleClosed } from "./failures.ts";
import {
  ChannelHost,
  type ChannelOpening,
  type ConsumerClaim,
  type HostedChannel,
  type Invitation,
  invitationView,
  type OpenAnswer,
} from "./hosting.ts";
import { Incoming } from "./incoming.ts";
import { MessageSource } from "./message_source.ts";
import { MessageWindow } from "./message_window.ts";
import type { ChannelNotice, ConnectedConsumer } from "./notices.ts";
import {
  type ChannelCloseOptions,
  type ChannelSendOptions,
  type ProduceOptions,
  type SendLimits,
  sendLimits,
  windowOf,
} from "./options.ts";
import { Outbound } from "./outbound.ts";
import type { PatternSending } from "./pattern_sending.ts";
import { Pipeline } from "./pipeline.ts";
import type { ChannelRun, ChannelStats, ClosedChannel } from "./channel_run.ts";

/** What a producer's channel is made of. */
export interface ProducerParts<Contract extends ChannelContract = ChannelContract> {
  readonly port: SystemPort;
  readonly contract: Contract;
  /** Checked already. */
  readonly options?: ProduceOptions | undefined;
  /** The shared memory that the channel offers, for people. */
  readonly sharedMemory?: string | null | undefined;
  /** Whether somebody is a consumer of the channel. */
  admits(claim: ConsumerClaim): boolean | Promise<boolean>;
  /** The handle was closed, and what waited has left: whoever announced it takes that back. A rejection is the close's. */
  left?(timeoutMs: number): Promise<unknown> | void;
}

/** A channel that this instance produces. */
export class ProducingChannel implements HostedChannel, ChannelRun {
  readonly role = "producer";
  readonly contract: ChannelContract;
  readonly source: MessageSource | null;
  readonly #parts: ProducerParts;
  readonly #host: ChannelHost;
  readonly #codec: ItemCodec;
  readonly #limits: SendLimits;
  readonly #maxConsumers: number;
  readonly #window: StreamWindow;
  readonly #run: string = newInstanceId();
  readonly #links = new Map<number, ConsumerLink>();
  /** Names that the broker has told, by presence. */
  readonly #names = new Map<number, string | null>();
  readonly #sending: PatternSending;
  readonly #outbound: Outbound;
  readonly #notices = new Broadcast<ChannelNotice>();
  readonly #end = new EndOf();
  readonly #moved: Condition;
  readonly #hold: Disposable;
  #state: "open" | "closing" | "ended" = "open";
  #closing: Promise<ClosedChannel> | null = null;
  #lost = 0;
  #unconfirmed = 0;
  #invalid = 0;
  #gaps = 0;

  constructor(parts: ProducerParts) {
    this.#parts = parts;
    const { port, contract, options = {} } = parts;
    this.contract = contract;
    const { name, pattern, encoding, message } = contract;
    const host = this.#host = ChannelHost.of(port);
    this.#limits = sendLimits(options, pattern);
    this.#maxConsumers = options.maxConsumers ?? 16_384;
    this.#window = windowOf(options.window);
    this.#codec = new ItemCodec(encoding);
    this.#moved = new Condition(port.clock);
    this.source = pattern === "bidirectional"
      ? new MessageSource(turnShareOf(port.clock), () => void this.close({}))
      : null;
    this.#sending = this.#make();
    this.#outbound = new Outbound({
      channel: name,
      codec: this.#codec,
      schema: message,
      sending: this.#sending,
      maxUnsent: this.#limits.maxUnsent,
      checked: () => this.#look(),
    });
    this.#hold = port.hold();
    host.add(this);
    host.keep(this);
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
    return this.#outbound.send(message, options);
  }

  notices(options: SubscribeOptions | undefined): AsyncIterableIterator<ChannelNotice | DroppedEntries> {
    return this.#notices.subscribe(options);
  }

  consumers(): ConnectedConsumer[] {
    return Array.from(this.#links.values(), (link) => ({ ...link.view, unread: link.unconfirmed }));
  }

  stats(): ChannelStats {
    const { queued, waiting, dropped } = this.#sending;
    return {
      sent: this.#outbound.sent,
      received: this.source?.received ?? 0,
      queued,
      waiting: waiting + this.#outbound.checking,
      dropped,
      unread: this.source?.size ?? 0,
      gaps: this.#gaps,
      invalid: this.#invalid,
      consumers: this.#links.size,
      unconfirmed: this.#unconfirmed,
    };
  }

  open(opening: ChannelOpening): OpenAnswer | Promise<OpenAnswer> {
    const { consumer, instance, call } = opening;
    const { name, pattern } = this.contract;
    if (call.input.pattern !== pattern) {
      throw call.fail("PATTERN_MISMATCH", { channel: name, expected: pattern, given: call.input.pattern });
    }
    const admitted = this.#parts.admits({ consumer, instance });
    if (typeof admitted === "boolean") return this.#open(opening, admitted);
    return admitted.then((is) => {
      call.signal.throwIfAborted();
      return this.#open(opening, is);
    });
  }

  /** The broker tells of a consumer. */
  told(presence: number, name: string | null): void {
    this.#names.set(presence, name);
    const link = this.#links.get(presence);
    if (link !== undefined) link.name = name;
  }

  /** The broker says that a consumer has gone. */
  gone(presence: number, died: boolean): void {
    this.#names.delete(presence);
    const link = this.#links.get(presence);
    if (link === undefined) return;
    this.#drop(link, died ? "lost" : "left");
    link.end(!died);
  }

  closing(reason: string): void {
    this.#notices.publish({ type: "closing", reason });
  }

  close({ timeoutMs = 5_000 }: ChannelCloseOptions): Promise<ClosedChannel> {
    return this.#closing ??= this.#close(timeoutMs);
  }

  invalidate(reason: string, error?: ZeromeshError): void {
    this.#finish(false, reason, error);
  }

  async #close(timeoutMs: number): Promise<ClosedChannel> {
    if (this.#state === "open") this.#state = "closing";
    this.#outbound.refuse(handleClosed(this.name, "its handle was closed"));
    const { clock } = this.#parts.port;
    const began = clock.now();
    const left = (): boolean =>
      this.#state === "ended" ||
      (this.#outbound.checking === 0 && this.#sending.idle && this.#sending.waiting === 0);
    // What waits when the time is up is lost, which the result tells.
    await this.#moved.until(left, { timeoutMs }).catch(() => {});
    this.#finish(true, "closed");
    await this.#parts.left?.(Math.max(0, timeoutMs - (clock.now() - began)));
    return { lost: this.#lost };
  }

  #finish(finished: boolean, reason: string, error?: ZeromeshError): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    this.#host.remove(this);
    this.#host.release(this);
    const refusal = error ?? handleClosed(this.name, reason);
    this.#outbound.end(refusal);
    this.#lost += this.#sending.end(refusal);
    for (const link of this.#links.values()) link.end(finished);
    this.#links.clear();
    // What nobody reads must not keep room of the connection.
    if (this.source?.reading === true) this.source.finish();
    else this.source?.drop();
    this.#notices.close();
    this.#hold[Symbol.dispose]();
    this.#moved.changed();
    this.#end.tell(error ?? reason);
  }

  #make(): PatternSending {
    const turns = turnShareOf(this.#parts.port.clock);
    const codec = this.#codec;
    const { name, pattern } = this.contract;
    if (pattern === "pipeline") return new Pipeline(codec, this.#makeWindow(), turns);
    const { maxFrameBytes } = this.#host.mux;
    const fails = this.#limits.overflow === "fail";
    return new Fanout({
      channel: name,
      codec,
      maxFrameBytes,
      turns,
      fails,
      single: pattern === "bidirectional",
    });
  }

  #makeWindow(): MessageWindow {
    const { clock } = this.#parts.port;
    return new MessageWindow({ limits: this.#limits, clock, whose: `channel "${this.name}"` });
  }

  #open(opening: ChannelOpening, admitted: boolean): OpenAnswer {
    const { call: { fail }, consumer, instance } = opening;
    const channel = this.name;
    if (this.#state === "ended" || (this.#state === "closing" && this.#sending.idle)) {
      throw fail("CHANNEL_CLOSED", { channel }, `Channel "${channel}" is closing`);
    }
    if (!admitted) {
      throw fail(
        "NOT_REGISTERED",
        { channel },
        `The broker knows no consumer ${consumer} of channel "${channel}"`,
      );
    }
    const earlier = this.#links.get(consumer);
    if (earlier !== undefined) {
      this.#drop(earlier, "lost");
      earlier.end(false);
    }
    if (this.#links.size >= this.#maxConsumers) {
      const why = `it has ${this.#links.size} consumers, as many as may (maxConsumers)`;
      throw fail("LIMIT_REACHED", undefined, `Cannot open channel "${channel}": ${why}`);
    }
    const name = this.#names.get(consumer) ?? this.#parts.port.nameOf(instance);
    const { window } = opening.invitation;
    const link = new ConsumerLink({ presence: consumer, instance, name }, window, () => this.#makeWindow());
    const reply = this.#join(link, opening);
    this.#links.set(consumer, link);
    const sequence = this.#sending.nextSequence;
    this.#sending.joined(link);
    link.incoming?.start(1, null);
    this.#notices.publish({ type: "joined", consumer: link.view });
    this.#look();
    return { sequence, run: this.#run, reply: reply === null ? null : invitationView(reply) };
  }

  /** Opens the streams with a consumer. @throws {ZeromeshError} `PEER_DISCONNECTED`, `LIMIT_REACHED`. */
  #join(link: ConsumerLink, { instance, connection, invitation }: ChannelOpening): Invitation | null {
    const { mux } = this.#host;
    const { anchor, window } = invitation;
    let own: Invitation | null = null;
    if (this.source !== null) {
      own = { anchor: mux.newId(), window: this.#window };
      const about = { ...own, session: own.anchor, creditsBytes: true, openMs: 30_000, connection };
      link.incoming = this.#incoming(link, this.source);
      link.incoming.attach(mux.bind(instance, about, link.incoming.events));
    }
    try {
      link.writer = mux.openWriter(
        instance,
        { anchor, session: anchor, window, creditsBytes: true, connection },
        {
          credit: () => {
            this.#sending.credit(link);
            this.#look();
          },
          stop: () => {
            this.#drop(link, "left");
            link.end(true);
          },
          ended: (end) => this.#writerEnded(link, end),
        },
      );
    } catch (error) {
      link.incoming?.cancel();
      throw error;
    }
    return own;
  }

  #incoming(link: ConsumerLink, source: MessageSource): Incoming {
    const { name, reply } = this.contract;
    return new Incoming({
      channel: name,
      codec: this.#codec,
      schema: reply,
      from: link.presence,
      arrived: (incoming) => source.arrived(incoming),
      gap: (count) => this.#gap(link.presence, count),
      // The other stream of the consumer tells whether it has left.
      ended: () => {},
      broken: () => {
        // One consumer must not be able to end the producer.
        this.#invalid++;
        this.#drop(link, "broken");
        link.end(false);
        return false;
      },
    });
  }

  #gap(from: number, count: number): void {
    this.#gaps += count;
    this.#notices.publish({ type: "gap", from, count });
  }

  #writerEnded(link: ConsumerLink, { reason }: StreamEnd): void {
    if (this.#links.get(link.presence) !== link) return;
    this.#drop(link, reason === "cancelled" ? "left" : reason === "failed" ? "broken" : "lost");
  }

  #drop(link: ConsumerLink, why: "left" | "lost" | "broken"): void {
    if (this.#links.get(link.presence) !== link) return;
    this.#links.delete(link.presence);
    if (why !== "left") this.#unconfirmed += link.unconfirmed;
    this.#sending.left(link);
    this.#notices.publish({ type: "left", consumer: link.view, why });
    this.#look();
  }

  /** What waits may have left. */
  #look(): void {
    if (this.#state === "closing") this.#moved.changed();
  }
}
