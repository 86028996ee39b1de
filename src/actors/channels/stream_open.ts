import { instanceIdFromBytes, onAbort, validate, ZeromeshError } from "../../core/mod.ts";
import type { CallTrace } from "../../messenger/mod.ts";
import { ItemCodec } from "../../streams/mod.ts";
import { type ActorChannelSchemas, bytesContract } from "../contract/contract.ts";
import { plainOrigin } from "../cell/origin.ts";
import { channelClosed, outputInvalid } from "../failures.ts";
import type { OutgoingOpen } from "../cell/outgoing.ts";
import { decodeValue, encodingOf } from "../contract/values.ts";
import { ActorChannels, type PendingOpen } from "./actor_channels.ts";
import type { ChannelStatus } from "../references/actor_channel.ts";
import { openerReceiver } from "./opener_receiver.ts";
import { Side, type SideParts } from "./side.ts";
import { StreamLink } from "./stream_link.ts";
import {
  ChannelStreams,
  endOf,
  type Invitation,
  invitationBytes,
  readInvitation,
  writeInvitation,
} from "./stream_parts.ts";

/** Bytes of the channel's id in the answer. */
export const idBytes = 16;

/** The answer to the opening of a channel, in place. */
export interface OpenAnswer {
  readonly payload: Uint8Array;
  keep(): Uint8Array;
}

/** What holds for the opener's sides. */
export type ChannelTerms = Pick<SideParts, "limits" | "counts">;

/** A channel that is opened to an actor of another instance, on the side of its opener. */
export class StreamOpen implements PendingOpen {
  /** What the call says about the stream that this side reads. */
  readonly invitation = new Uint8Array(invitationBytes);
  /** Aborts the call. */
  readonly signal: AbortSignal | undefined;
  readonly #streams: ChannelStreams;
  readonly #open: OutgoingOpen;
  readonly #terms: ChannelTerms;
  readonly #schemas: ActorChannelSchemas;
  readonly #trace: CallTrace | null;
  readonly #link: StreamLink;
  readonly #own: ActorChannels | null;
  readonly #abort: AbortController | null = null;
  readonly #listening: Disposable | null = null;
  #over = false;

  /** @throws {ZeromeshError} `PEER_LACKS_FEATURE`, `PEER_DISCONNECTED`, `LIMIT_REACHED`. */
  constructor(
    streams: ChannelStreams,
    open: OutgoingOpen,
    schemas: ActorChannelSchemas,
    terms: ChannelTerms,
    trace: CallTrace | null,
  ) {
    this.#streams = streams;
    this.#terms = terms;
    this.#open = open;
    this.#schemas = schemas;
    this.#trace = trace;
    const { message: { to: { instance: peer, contract }, name, signal }, sender } = open;
    const { mux, port } = streams;
    if (!mux.supports(peer)) {
      const why = `${port.textOf(peer)} does not support streams`;
      throw new ZeromeshError("PEER_LACKS_FEATURE", `Cannot open channel "${name}": ${why}`, {
        peer,
        handler: name,
        ran: "no",
      });
    }
    const link = this.#link = new StreamLink({
      name,
      codec: new ItemCodec(encodingOf(contract)),
      schema: schemas.toOpener,
      wrote: () => streams.wrote(peer),
    });
    this.signal = signal;
    this.#own = sender === null ? null : ActorChannels.of(sender.cell);
    this.#own?.wait(this);
    if (this.#own !== null) {
      const abort = this.#abort = new AbortController();
      this.signal = abort.signal;
      this.#listening = onAbort(signal, () => abort.abort(signal?.reason));
    }
    const anchor = mux.newId();
    const { window } = mux;
    const about = { anchor, session: anchor, window, creditsBytes: true, openMs: Infinity };
    try {
      link.reader = mux.bind(peer, about, link.readerEvents);
    } catch (error) {
      this.failed(error);
      throw error;
    }
    writeInvitation(this.invitation, 0, { anchor, window });
  }

  get status(): ChannelStatus {
    const { name, to } = this.#open.message;
    const none = { sent: 0, received: 0, queued: 0, waiting: 0 };
    return { id: "", name, role: "opener", other: to.address, state: "opening", ...none };
  }

  stopped(error: ZeromeshError): void {
    this.#abort?.abort(error);
  }

  /** The call has failed, possibly while the first item of an actor that has accepted is checked. */
  failed(error: unknown): void {
    this.#over = true;
    this.#settled();
    this.#link.close(endOf(error));
    this.#link.reader?.cancel();
  }

  /** The actor has accepted: opens the stream to it. @throws {ZeromeshError} `RESULT_INVALID`, `LIMIT_REACHED`. */
  accept(answer: OpenAnswer): Side | Promise<Side> {
    const { to: { contract }, name } = this.#open.message;
    const { payload } = answer;
    const invitation = readInvitation(payload, idBytes, payload.length);
    if (invitation === null || payload.length <= idBytes + invitationBytes) throw unreadable(name);
    const at = idBytes + invitationBytes + 1;
    const encoding = encodingOf(contract);
    let first: unknown;
    if (payload[at - 1] === 1) {
      const value = encoding === "bytes"
        ? payload.slice(at)
        : decodeValue(name, payload.subarray(at), encoding, "RESULT_INVALID");
      first = validate(this.#schemas.toOpener, value, (issues, cause) => outputInvalid(name, issues, cause));
    }
    const id = instanceIdFromBytes(payload);
    this.#join(invitation);
    return first instanceof Promise ? first.then((value) => this.#side(id, value)) : this.#side(id, first);
  }

  #join({ anchor, window }: Invitation): void {
    const about = { anchor, session: anchor, window, creditsBytes: true };
    this.#link.writer = this.#streams.mux.openWriter(
      this.#open.message.to.instance,
      about,
      this.#link.writerEvents,
    );
  }

  #side(id: string, first: unknown): Side {
    const { message: { to: { instance, target }, name, origin }, sender, options } = this.#open;
    if (this.#over) throw channelClosed(name, "its opener has given up");
    const { port, deadlines } = this.#streams;
    const trace = this.#trace;
    const other = `${target}@${instance}`;
    this.#settled();
    const side = new Side({
      id,
      name,
      role: "opener",
      opener: sender === null
        ? port.instanceId
        : sender.cell.host.refTo(bytesContract, sender.cell.address, null),
      other,
      first,
      schema: this.#schemas.fromOpener,
      link: this.#link,
      receiver: openerReceiver(sender, options, plainOrigin(instance, other, origin.trace)),
      owners: this.#own === null ? [this.#streams] : [this.#streams, this.#own],
      clock: port.clock,
      deadlines,
      ...this.#terms,
      idleTimeoutMs: options?.idleTimeoutMs ?? Infinity,
      hold: sender === null ? port.hold() : null,
      traced: trace === null ? null : (failure, items) => trace.end(failure, items),
    });
    this.#streams.opened(side, sender === null);
    this.#own?.opened(side);
    return side.begin();
  }

  #settled(): void {
    this.#listening?.[Symbol.dispose]();
    this.#own?.settled(this);
  }
}

function unreadable(name: string): ZeromeshError {
  return new ZeromeshError(
    "RESULT_INVALID",
    `The answer to the opening of channel "${name}" cannot be read`,
    {
      handler: name,
      ran: "yes",
    },
  );
}
