import { type InstanceId, ZeromeshError } from "../../core/mod.ts";
import {
  answeredLater,
  type HandlerTrace,
  type SystemMessage,
  type SystemPort,
} from "../../messenger/mod.ts";
import { noHeaders } from "../cell/origin.ts";
import type { Origin } from "../cell/parts.ts";
import { ServedChannels } from "../channels/served_channels.ts";
import { invitationBytes, readInvitation } from "../channels/stream_parts.ts";
import type { ResolvedSystemOptions } from "../options/system_options.ts";
import type { SystemRouter } from "../routing/router.ts";
import type { GivenValues } from "../routing/bridge.ts";
import type { Behaviour } from "../definition/behaviour.ts";
import { AuthorizedOrder } from "./authorized_order.ts";
import type { Envelope } from "./envelope.ts";
import { EnvelopeReader } from "./envelope_reader.ts";
import type { RemoteCounts } from "../routing/remote.ts";
import { askHandler, envelopeHeader, largeValueBytes, openHandler, tellHandler } from "./messages.ts";
import { fail, failureFor } from "../failures.ts";
import { RemoteAsk } from "./remote_ask.ts";
import { decodeValue } from "../contract/values.ts";

/** What an {@link Inbound} needs of its system. */
export interface InboundParts {
  readonly port: SystemPort;
  /** Takes messages to mailboxes. */
  readonly router: Pick<SystemRouter, "find" | "labelOf" | "deliverTell" | "deliverAsk">;
  /** Counts them. */
  readonly counts: RemoteCounts;
  readonly options: Pick<ResolvedSystemOptions, "maxPeerChannels">;
}

/** Takes the messages of other instances to mailboxes, in the order in which they came. */
export class Inbound implements Disposable {
  readonly #port: SystemPort;
  readonly #router: InboundParts["router"];
  readonly #reader = new EnvelopeReader();
  readonly #traces: boolean;
  readonly #order: AuthorizedOrder;
  readonly #handlers: readonly Disposable[];
  readonly #channels: ServedChannels;
  readonly #counts: RemoteCounts;
  // The origin of the last message that carried nothing but its value. Those of one sender share it.
  #origin: Origin | null = null;
  #sender: string | null = null;

  constructor({ port, router, counts, options: { maxPeerChannels } }: InboundParts) {
    this.#counts = counts;
    this.#port = port;
    this.#router = router;
    this.#traces = port.traces;
    this.#order = new AuthorizedOrder(port);
    this.#channels = new ServedChannels(port, maxPeerChannels);
    const options = { admission: "user" } as const;
    this.#handlers = [
      port.handle(tellHandler, "am", (message) => this.#receive(message, false), options),
      port.handle(askHandler, "unary", (message) => this.#receive(message, true), options),
      port.handle(openHandler, "unary", (message) => this.#open(message), options),
    ];
  }

  [Symbol.dispose](): void {
    for (const handler of this.#handlers) handler[Symbol.dispose]();
  }

  /** Reads the envelope of a message, which is the reader's last one then. Returns the instance that sent it. */
  #read(message: SystemMessage): InstanceId {
    this.#counts.received++;
    const instance = this.#port.senderOf(message)?.instanceId;
    if (instance === undefined) throw stranger();
    const { source, payloadStart, payloadEnd } = lentOf(message);
    const apart = payloadEnd - payloadStart > largeValueBytes
      ? message.systemHeader(envelopeHeader)
      : undefined;
    if (apart !== undefined) this.#readApart(apart, payloadStart);
    else {
      const why = this.#reader.read(source, payloadStart, payloadEnd);
      if (why !== null) throw unreadable(why);
    }
    return instance;
  }

  #readApart(text: string, valueAt: number): void {
    const bytes = Uint8Array.from(text, (unit) => unit.charCodeAt(0));
    const why = this.#reader.read(bytes, 0, bytes.length);
    if (why !== null) throw unreadable(why);
    this.#reader.last.valueAt = valueAt;
  }

  #open(message: SystemMessage): unknown {
    let trace: HandlerTrace | null = null;
    try {
      const port = this.#port;
      const instance = this.#read(message);
      const envelope = this.#reader.last;
      if (this.#traces) trace = this.#traceOf(message, envelope, true);
      const { source, payloadEnd } = lentOf(message);
      const invitation = readInvitation(source, envelope.valueAt, payloadEnd);
      if (invitation === null) throw unreadable("it names no stream");
      envelope.valueAt += invitationBytes;
      const first = valueOf(message, envelope);
      const { target, name, encoding } = envelope;
      const origin = this.#originOf(envelope, instance, trace);
      const deliver = (): typeof answeredLater => {
        const cell = this.#router.find(target);
        return this.#channels.open(message, cell, { name, first, origin, invitation, encoding });
      };
      if (!port.authorizes) return deliver();
      const subject = { actor: target, action: "open", message: name };
      return this.#authorized(message, target, subject, deliver, true, trace);
    } catch (error) {
      trace?.end("rejected", error);
      fail(error);
    }
  }

  // What a function has for its rare cases, a closure above all, costs each of its calls: here these are functions of their
  // own.
  #receive(message: SystemMessage, asks: boolean): unknown {
    let trace: HandlerTrace | null = null;
    try {
      const instance = this.#read(message);
      const envelope = this.#reader.last;
      if (this.#traces) trace = this.#traceOf(message, envelope, asks);
      const input = valueOf(message, envelope);
      const origin = this.#originOf(envelope, instance, trace);
      const { target, name, encoding } = envelope;
      if (this.#port.authorizes) {
        return this.#authorizedMessage(message, target, name, input, origin, encoding, asks);
      }
      return asks
        ? this.#ask(message, target, name, input, origin, encoding)
        : this.#tell(message, target, name, input, origin, encoding);
    } catch (error) {
      trace?.end("rejected", error);
      fail(error);
    }
  }

  #authorizedMessage(
    message: SystemMessage,
    target: string,
    name: string,
    input: unknown,
    origin: Origin,
    encoding: Envelope["encoding"],
    asks: boolean,
  ): unknown {
    const subject = { actor: target, action: asks ? "ask" : "tell", message: name };
    const deliver = (): unknown => {
      if (!asks) return this.#tell(message, target, name, input, origin, encoding);
      const answer = this.#ask(message, target, name, input, origin, encoding);
      // It is sent later.
      return answer === answeredLater ? answer : answer.slice();
    };
    return this.#authorized(message, target, subject, deliver, asks, origin.trace);
  }

  /** Begins the trace of a message; null if its actor is unknown. */
  #traceOf(message: SystemMessage, { target, name }: Envelope, asks: boolean): HandlerTrace | null {
    const label = this.#router.labelOf(target, name);
    return label === null ? null : this.#port.traceOf(message, label, asks ? "unary" : "fire");
  }

  /** Delivers a message once it is authorized. */
  #authorized(
    message: SystemMessage,
    target: string,
    subject: Readonly<Record<string, string>>,
    deliver: () => unknown,
    asks: boolean,
    trace: HandlerTrace | null = null,
  ): unknown {
    const delivered = this.#order.add(message, target, subject, deliver);
    if (trace !== null) delivered.catch((error) => trace.end("rejected", error));
    if (!asks) return delivered.catch(fail);
    delivered.then((answer) => {
      if (answer !== answeredLater) this.#port.answer(message, answer as Uint8Array);
    }).catch((error) => this.#port.refuse(message, failureFor(error)));
    return answeredLater;
  }

  #tell(
    message: SystemMessage,
    target: string,
    name: string,
    input: unknown,
    origin: Origin,
    encoding: Envelope["encoding"],
  ): unknown {
    const cell = this.#router.find(target);
    // Whoever need not wait for room costs no signal.
    const wait = cell.hasRoom
      ? atOnce
      : { timeoutMs: message.ttlMs < 0 ? Infinity : message.ttlMs, signal: signalOf(message) };
    const given = givenTo(cell.behaviour, encoding);
    const delivered = this.#router.deliverTell(cell, name, input, origin, wait, given);
    return delivered === null ? undefined : refusedLater(delivered, origin);
  }

  #ask(
    message: SystemMessage,
    target: string,
    name: string,
    input: unknown,
    origin: Origin,
    encoding: Envelope["encoding"],
  ): Uint8Array | typeof answeredLater {
    const cell = this.#router.find(target);
    const { ttlMs } = message;
    const taker = new RemoteAsk(this.#port, message, name, encoding, origin.trace);
    const wait = {
      timeoutMs: ttlMs < 0 ? Infinity : ttlMs,
      signal: cell.hasRoom ? undefined : taker.signal(),
      asker: null,
      raw: true,
      taker,
    };
    this.#router.deliverAsk(cell, name, input, origin, wait, givenTo(cell.behaviour, encoding));
    return taker.begin();
  }

  #originOf(
    { sender, headers, chain }: Envelope,
    instance: InstanceId,
    trace: HandlerTrace | null = null,
  ): Origin {
    const alone = trace === null && chain.length === 0 && headers === noHeaders;
    const last = this.#origin;
    if (alone && last !== null && last.instance === instance && this.#sender === sender) return last;
    const from = sender === null ? null : `${sender}@${instance}`;
    const origin = { sender: from, instance, headers, deadlineAt: Infinity, chain, trace };
    if (alone) {
      this.#origin = origin;
      this.#sender = sender;
    }
    return origin;
  }
}

function refusedLater(delivered: Promise<void>, { trace }: Origin): Promise<void> {
  return delivered.catch((error) => {
    trace?.end("rejected", error);
    fail(error);
  });
}

const atOnce = Object.freeze({ timeoutMs: Infinity, signal: undefined });

/** The bytes of a message where they lie; of one that had to wait for its turn, in memory of its own. */
function lentOf(message: SystemMessage): SystemMessage["lent"] {
  if (!message.detached) return message.lent;
  const source = message.payload;
  return {
    source,
    payloadStart: 0,
    payloadEnd: source.length,
    owned: true,
    own: (bytes) => bytes,
    keep: () => source,
  };
}

/** Takes the value out of a message, which is then empty, so that nothing of it is kept while the handler runs. */
function valueOf(message: SystemMessage, { name, encoding, valueAt }: Envelope): unknown {
  const lent = lentOf(message);
  const { source, payloadEnd } = lent;
  if (encoding === "bytes") {
    // The payload begins with the value now, so that only the value is copied.
    if (lent.owned) return valueAt === 0 ? source : lent.own(source.subarray(valueAt));
    lent.payloadStart = valueAt;
    return lent.keep();
  }
  const value = decodeValue(name, source, encoding, "PAYLOAD_INVALID", valueAt, payloadEnd);
  if (!lent.owned) lent.payloadStart = payloadEnd;
  return value;
}

/** How an input is to be understood, if either its sender or the actor has no contract; null otherwise. */
function givenTo({ bytes }: Behaviour, encoding: Envelope["encoding"]): GivenValues | null {
  return (encoding === "bytes") === bytes ? null : { encoding, contract: null };
}

function signalOf(message: SystemMessage): AbortSignal {
  const gone = new AbortController();
  message.whenAborted((reason) => gone.abort(reason), false);
  return gone.signal;
}

function unreadable(why: string): ZeromeshError {
  return new ZeromeshError("PAYLOAD_INVALID", `A message for an actor cannot be read: ${why}`);
}

function stranger(): ZeromeshError {
  return new ZeromeshError(
    "FORBIDDEN",
    "A message for an actor was refused: its sender has not introduced itself",
  );
}
