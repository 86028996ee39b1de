import { hold, validate, ZeromeshError } from "../../core/mod.ts";
import { elapsedMs, type PartOfCall, type SystemPort } from "../../messenger/mod.ts";
import { maxHeaderValueBytes, NameCache } from "../../wire/mod.ts";
import type { ActorChannel } from "../references/actor_channel.ts";
import type { ChannelCounts } from "../cell/channel_counts.ts";
import { type ChannelTerms, StreamOpen } from "../channels/stream_open.ts";
import type { ChannelLimits, ResolvedSystemOptions } from "../options/system_options.ts";
import { ChannelStreams } from "../channels/stream_parts.ts";
import { channelSchemas } from "../contract/contract.ts";
import { inputInvalid } from "../failures.ts";
import { EnvelopeWriter } from "./envelope.ts";
import { labelOf, type MessageKind, MessageKinds } from "./message_kinds.ts";
import { askHandler, envelopeHeader, largeValueBytes, openHandler, tellHandler } from "./messages.ts";
import { meantFor, type OutgoingMessage, type OutgoingOpen } from "../cell/outgoing.ts";
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
    return this.#checked(message, this.#tells.of(message.to.contract, message.name), "tell") as Promise<void>;
  }

  /** Resolves to the actor's answer. */
  ask(message: OutgoingMessage): Promise<unknown> {
    return this.#checked(message, this.#asks.of(message.to.contract, message.name), "ask");
  }

  /** Resolves when the actor has accepted the channel. */
  open(open: OutgoingOpen): Promise<ActorChannel> {
    const { to, name, input } = open.message;
    const { contract } = to;
    const schemas = channelSchemas(contract, name);
    if (schemas === null) throw unknownMessage("channel", open.message);
    const valid = validate(schemas.fromOpener, input, (issues, cause) => inputInvalid(name, issues, cause));
    return this.#inTurn(open.message, valid, async (message) => {
      const { origin, signal, timeoutMs = this.#defaultMs } = message;
      const { instance, target } = to;
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
        const own = opening = new StreamOpen(
          ChannelStreams.of(port),
          { ...open, message },
          schemas,
          this.#terms,
          trace,
        );
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
        const failure = meantFor(error, to);
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
    return this.#waits(message, valid, kind);
  }

  #waits(message: OutgoingMessage, valid: unknown, kind: MessageKind): Promise<unknown> {
    const sent = this.#inTurn(message, valid, (checked) => this.#send(checked, kind));
    if (kind.accept === undefined) sent.catch((error) => message.dead?.(message, error));
    return sent;
  }

  /**
   * Sends behind earlier messages to the same actor that wait for their schemas. Each waits within its own time, of which
   * it is sent with the rest.
   */
  #inTurn<T>(
    message: OutgoingMessage,
    valid: unknown,
    send: (message: OutgoingMessage) => Promise<T>,
  ): Promise<T> {
    const route = message.to.address;
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
    return turn.then(() => send(message.later(timeoutMs - (clock.now() - begun))));
  }

  #send(message: OutgoingMessage, kind: MessageKind): Promise<unknown> {
    const { to: { target, instance }, name, input, origin } = message;
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
    message.kind = kind;
    message.borrowed = writer.borrowed;
    if (apart !== null) message.headers = { [envelopeHeader]: apart };
    return kind.accept === undefined
      ? this.#port.sync(tellHandler, instance, payload, message)
      : this.#port.call(askHandler, instance, payload, message);
  }
}

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

function unknownMessage(kind: string, { to, name }: OutgoingMessage): ZeromeshError {
  return new ZeromeshError("HANDLER_NOT_FOUND", `Contract "${to.contract.name}" has no ${kind} "${name}"`, {
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
