import { hold, validate, ZeromeshError } from "../../core/mod.ts";
import {
  elapsedMs,
  type FeatureCall,
  type HandlerTrace,
  type PartOfCall,
  type SystemPort,
} from "../../messenger/mod.ts";
import { maxHeaderValueBytes, NameCache } from "../../wire/mod.ts";
import type { ActorChannel } from "../references/actor_channel.ts";
import type { ChannelCounts } from "../cell/channel_counts.ts";
import { type ChannelTerms, StreamOpen } from "../channels/stream_open.ts";
import type { ChannelLimits, ResolvedSystemOptions } from "../options/system_options.ts";
import { ChannelStreams } from "../channels/stream_parts.ts";
import { channelSchemas } from "../contract/contract.ts";
import { inputInvalid } from "../failures.ts";
import { EnvelopeWriter } from "./envelope.ts";
import { type Accept, labelOf, type MessageKind, MessageKinds, tellWithout } from "./message_kinds.ts";
import { askHandler, envelopeHeader, largeValueBytes, openHandler, tellHandler } from "./messages.ts";
import type { OutgoingMessage, OutgoingOpen } from "../cell/outgoing.ts";
import type { RemoteCounts } from "../routing/remote.ts";
import { encodeValue, encodingOf, textOrBytesOf } from "../contract/values.ts";

/** What {@link Outbound} gets from its system. */
export interface OutboundParts {
  readonly port: SystemPort;
  readonly counts: RemoteCounts;
  readonly options: Pick<ResolvedSystemOptions, "askTimeoutMs"> & ChannelLimits;
  readonly channelCounts: ChannelCounts;
}

/** Sends messages to actors of other instances. */
export class Outbound {
  readonly #port: SystemPort;
  readonly #counts: RemoteCounts;
  /** Time for a channel to be accepted, and for schemas. */
  readonly #defaultMs: number;
  readonly #terms: ChannelTerms;
  readonly #writer = new EnvelopeWriter(new NameCache());
  readonly #tells = new MessageKinds(false);
  readonly #asks = new MessageKinds(true);
  /** The last message to an actor whose schema needed time: later ones wait for it, so that order holds. */
  readonly #checking = new Map<string, Promise<unknown>>();

  constructor({ port, counts, options, channelCounts }: OutboundParts) {
    this.#port = port;
    this.#counts = counts;
    this.#defaultMs = options.askTimeoutMs;
    this.#terms = { limits: options, counts: channelCounts };
  }

  /** Resolves when the message is in the actor's mailbox. */
  tell(message: OutgoingMessage): Promise<void> {
    return this.#checked(message, this.#tells.of(message.contract, message.name), "tell") as Promise<void>;
  }

  /** Resolves to the actor's answer. */
  ask(message: OutgoingMessage): Promise<unknown> {
    return this.#checked(message, this.#asks.of(message.contract, message.name), "ask");
  }

  /** Resolves when the actor has accepted the channel. */
  open(message: OutgoingOpen): Promise<ActorChannel> {
    const { contract, name, input } = message;
    const schemas = channelSchemas(contract, name);
    if (schemas === null) throw unknownMessage("channel", message);
    const valid = validate(schemas.fromOpener, input, (issues, cause) => inputInvalid(name, issues, cause));
    return this.#inTurn(message, valid, async (message) => {
      const { instance, target, origin, signal, timeoutMs = this.#defaultMs } = message;
      const port = this.#port;
      const label = labelOf(contract, name);
      const begun = port.clock.now();
      const trace = port.traceCall(label, instance, origin.trace);
      let opening: StreamOpen | null = null;
      try {
        // Its streams need the connection first.
        if (instance !== port.instanceId && !port.isUp(instance)) {
          await port.reachFor(label, instance, { timeoutMs, signal });
        }
        const own = opening = new StreamOpen(ChannelStreams.of(port), message, schemas, this.#terms, trace);
        const encoding = encodingOf(contract);
        this.#counts.sent++;
        const part: PartOfCall = { [elapsedMs]: port.clock.now() - begun };
        const value = joined(own.invitation, encodeValue(name, input, encoding));
        return await port.call(
          openHandler,
          instance,
          this.#writer.write(target, name, encoding, origin, value),
          {
            timeoutMs,
            ...part,
            signal: own.signal,
            label,
            accept: (answer) => own.accept(answer),
            headers: trace?.headers,
            borrowed: this.#writer.borrowed,
          },
        );
      } catch (error) {
        opening?.failed(error);
        const failure = meantFor(error, message);
        trace?.end(failure);
        throw failure;
      }
    });
  }

  /** Sends once the input is valid, and in the order of the calls. @param kind Null if the contract has no such message. */
  #checked(message: OutgoingMessage, kind: MessageKind | null, what: "tell" | "ask"): Promise<unknown> {
    if (kind === null) throw unknownMessage(what, message);
    const valid = validate(kind.input, message.input, kind.invalid);
    if (!(valid instanceof Promise) && this.#checking.size === 0) return this.#send(message, kind);
    const sent = this.#inTurn(message, valid, (checked) => this.#send(checked, kind));
    if (what === "tell") sent.catch(ignore);
    return sent;
  }

  /**
   * Sends behind earlier messages to the same actor that wait for their schemas. Each waits within its own time, of which
   * it is sent with the rest.
   */
  #inTurn<M extends OutgoingMessage, T>(
    message: M,
    valid: unknown,
    send: (message: M) => Promise<T>,
  ): Promise<T> {
    const route = `${message.target}@${message.instance}`;
    const earlier = this.#checking.get(route);
    if (!(valid instanceof Promise) && earlier === undefined) return send(message);
    const { timeoutMs = this.#defaultMs, signal } = message;
    const { clock } = this.#port;
    const begun = clock.now();
    const turn = hold(Promise.allSettled([earlier, valid]).then(() => valid), {
      clock,
      timeoutMs,
      signal,
      late: () => schemaLate(message, timeoutMs),
    });
    // One that gives up lets nobody pass those before it.
    const last = Promise.allSettled([earlier, turn]);
    this.#checking.set(route, last);
    void last.then(() => {
      if (this.#checking.get(route) === last) this.#checking.delete(route);
    });
    return turn.then(() => send({ ...message, timeoutMs: timeoutMs - (clock.now() - begun) }));
  }

  #send(message: OutgoingMessage, kind: MessageKind): Promise<unknown> {
    const { target, instance, name, input, origin } = message;
    const { encoding } = kind;
    const writer = this.#writer;
    const value = textOrBytesOf(name, input, encoding);
    const apart = typeof value === "string" || value.length <= largeValueBytes
      ? null
      : envelopeApart(writer.write(target, name, encoding, origin, nothing));
    const payload = apart === null
      ? writer.write(target, name, encoding, origin, value)
      : value as Uint8Array;
    this.#counts.sent++;
    const call = new ActorCall(message, kind, writer.borrowed, apart);
    return kind.accept === tellWithout
      ? this.#port.sync(tellHandler, instance, payload, call)
      : this.#port.call(askHandler, instance, payload, call);
  }
}

/** How a message is sent. */
class ActorCall implements FeatureCall<unknown> {
  readonly message: OutgoingMessage;
  readonly timeoutMs: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly label: string;
  readonly accept: Accept;
  readonly within: HandlerTrace | null;
  readonly borrowed: boolean;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(
    message: OutgoingMessage,
    { label, accept }: MessageKind,
    borrowed: boolean,
    envelope: string | null,
  ) {
    this.message = message;
    this.timeoutMs = message.timeoutMs;
    this.signal = message.signal;
    this.label = label;
    this.accept = accept;
    this.within = message.origin.trace;
    this.borrowed = borrowed;
    this.headers = envelope === null ? undefined : { [envelopeHeader]: envelope };
  }

  failed(error: unknown, promise: Promise<unknown>): unknown {
    // Nobody need await a message without an answer.
    if (this.accept === tellWithout) promise.catch(ignore);
    return meantFor(error, this.message);
  }
}

const ignore = (): void => {};
const nothing = new Uint8Array(new ArrayBuffer(0));

/** An envelope as a header; null if it is too long for one, where each of its bytes may take two. */
function envelopeApart(bytes: Uint8Array): string | null {
  return 2 * bytes.length > maxHeaderValueBytes ? null : String.fromCharCode(...bytes);
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

function unknownMessage(kind: string, { contract, name }: OutgoingMessage): ZeromeshError {
  return new ZeromeshError("HANDLER_NOT_FOUND", `Contract "${contract.name}" has no ${kind} "${name}"`, {
    handler: name,
  });
}

function schemaLate({ name }: OutgoingMessage, timeoutMs: number): ZeromeshError {
  const why = "the schema of its value, or of an earlier message to the same actor, had not ended";
  return new ZeromeshError("TIMEOUT", `"${name}" was not sent within ${timeoutMs} ms: ${why}`, {
    handler: name,
    ran: "no",
  });
}

/** An instance without an actor system has no actors. */
function meantFor(error: unknown, { target, instance }: OutgoingMessage): unknown {
  // An actor that lacks the message says so in details.
  if (
    !(error instanceof ZeromeshError) || error.code !== "HANDLER_NOT_FOUND" || error.details !== undefined
  ) {
    return error;
  }
  const address = `${target}@${instance}`;
  const message = `There is no actor ${address}: its instance has no actor system`;
  return new ZeromeshError("ACTOR_NOT_FOUND", message, {
    peer: instance,
    details: { actor: address },
    cause: error,
  });
}
