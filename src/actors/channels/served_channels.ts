import { type InstanceId, instanceIdToBytes, ZeromeshError } from "../../core/mod.ts";
import { answeredLater, type SystemMessage, type SystemPort } from "../../messenger/mod.ts";
import { ItemCodec } from "../../streams/mod.ts";
import type { Cell } from "../cell/cell.ts";
import type { Origin } from "../cell/parts.ts";
import { failureFor } from "../failures.ts";
import { encodeValue, type ValueEncoding } from "../contract/values.ts";
import { deliverOpen } from "./deliver_open.ts";
import type { ChannelLink } from "./link.ts";
import type { OpenerWay, Opening } from "./opening.ts";
import type { Side } from "./side.ts";
import { StreamLink } from "./stream_link.ts";
import { idBytes } from "./stream_open.ts";
import { ChannelStreams, endOf, type Invitation, invitationBytes, writeInvitation } from "./stream_parts.ts";

/** The opening of a channel by another instance. */
export interface InboundOpen {
  readonly name: string;
  /** The first item, not validated yet. */
  readonly first: unknown;
  readonly origin: Origin;
  /** What the opener says about the stream that it reads. */
  readonly invitation: Invitation;
  readonly encoding: ValueEncoding;
}

/** Channels that other instances open to actors of this system. */
export class ServedChannels {
  readonly #port: SystemPort;
  readonly #maxPeerChannels: number;
  readonly #peers = new Map<InstanceId, number>();

  constructor(port: SystemPort, maxPeerChannels: number) {
    this.#port = port;
    this.#maxPeerChannels = maxPeerChannels;
  }

  /** Opens a channel to an actor. The answer is sent once the actor has accepted. */
  open(message: SystemMessage, cell: Cell, request: InboundOpen): typeof answeredLater {
    const { origin: { instance, trace }, name } = request;
    const count = this.#peers.get(instance) ?? 0;
    if (count >= this.#maxPeerChannels) {
      cell.host.channels.counts.refused++;
      const why = `its instance has ${count} channels to this system already (maxPeerChannels)`;
      throw new ZeromeshError("LIMIT_REACHED", `Cannot open channel "${name}": ${why}`, {
        handler: name,
        ran: "no",
      });
    }
    const way = new StreamWay(this.#port, request, () => this.#left(instance));
    this.#peers.set(instance, count + 1);
    way.open(message, cell).then(
      (answer) => this.#port.answer(message, answer),
      (error) => {
        trace?.end((error as { ran?: unknown }).ran === "yes" ? "failed" : "rejected", error);
        this.#port.refuse(message, failureFor(error));
      },
    );
    return answeredLater;
  }

  #left(instance: InstanceId): void {
    const count = this.#peers.get(instance)! - 1;
    if (count === 0) this.#peers.delete(instance);
    else this.#peers.set(instance, count);
  }
}

/** The way from a target to an opener of another instance. */
class StreamWay implements OpenerWay {
  readonly #streams: ChannelStreams;
  readonly #request: InboundOpen;
  readonly #answer: PromiseWithResolvers<Uint8Array> = Promise.withResolvers();
  readonly #left: () => void;
  #opening: Opening | null = null;
  #own: Invitation | null = null;
  #side: Side | null = null;

  /** @param left Called once when the channel is over. */
  constructor(port: SystemPort, request: InboundOpen, left: () => void) {
    this.#streams = ChannelStreams.of(port);
    this.#request = request;
    this.#left = left;
  }

  open(message: SystemMessage, cell: Cell): Promise<Uint8Array> {
    const { name, first, origin } = this.#request;
    const gone = cell.hasRoom ? null : new AbortController();
    try {
      const signal = gone?.signal;
      const opening = deliverOpen(cell, { name, first, origin, asker: null, signal, way: this });
      this.#opening = opening;
      message.whenAborted((reason) => {
        // A channel that is open ends its trace itself.
        if (this.#side === null) origin.trace?.end("cancelled", reason);
        opening.giveUp(endOf(reason, message.session.leaving), reason);
        // Nobody reads the answer, but the call has to end.
        this.#answer.reject(reason);
        gone?.abort(reason);
      });
    } catch (error) {
      // Without an opening nobody says that it is over.
      this.#left();
      throw error;
    }
    return this.#answer.promise;
  }

  join(): ChannelLink {
    const { name, encoding, invitation: { anchor, window }, origin: { instance } } = this.#request;
    const { mux } = this.#streams;
    const link = new StreamLink({
      name,
      codec: new ItemCodec(encoding),
      schema: this.#opening!.schemas.fromOpener,
      wrote: () => this.#streams.wrote(instance),
    });
    const own = this.#own = { anchor: mux.newId(), window: mux.window };
    const about = {
      session: own.anchor,
      creditsBytes: true,
      openMs: this.#opening!.cell.host.options.askTimeoutMs,
    };
    link.reader = mux.bind(instance, { ...own, ...about }, link.readerEvents);
    try {
      link.writer = mux.openWriter(
        instance,
        { anchor, session: anchor, window, creditsBytes: true },
        link.writerEvents,
      );
    } catch (error) {
      link.reader.cancel();
      throw error;
    }
    return link;
  }

  accepted(first: unknown): void {
    const { name, encoding } = this.#request;
    try {
      const value = first === undefined ? nothing : encodeValue(name, first, encoding);
      const at = idBytes + invitationBytes;
      const answer = new Uint8Array(at + 1 + value.length);
      answer.set(instanceIdToBytes(this.#opening!.id as InstanceId));
      writeInvitation(answer, idBytes, this.#own!);
      answer[at] = first === undefined ? 0 : 1;
      answer.set(value, at + 1);
      this.#answer.resolve(answer);
    } catch (error) {
      this.#answer.reject(error);
    }
  }

  refused(error: unknown): void {
    this.#answer.reject(error);
  }

  opened(side: Side): void {
    this.#streams.opened(this.#side = side);
  }

  over(): void {
    if (this.#side !== null) this.#streams.closed(this.#side);
    this.#left();
  }
}

const nothing = new Uint8Array(0);
