import { type AnySchema, hold, validate, ZeromeshError } from "../../core/mod.ts";
import type { FeatureCall, SystemPort } from "../../messenger/mod.ts";
import { NameCache } from "../../wire/mod.ts";
import type { ActorChannel } from "../references/actor_channel.ts";
import type { ChannelCounts } from "../cell/channel_counts.ts";
import { type ChannelTerms, StreamOpen } from "../channels/stream_open.ts";
import type { ChannelLimits, ResolvedSystemOptions } from "../options/system_options.ts";
import { ChannelStreams } from "../channels/stream_parts.ts";
import { type ActorContract, askSchemas, channelSchemas, tellSchema } from "../contract/contract.ts";
import { inputInvalid, outputInvalid } from "../failures.ts";
import { EnvelopeWriter } from "./envelope.ts";
import { askHandler, openHandler, tellHandler } from "./messages.ts";
import type { OutgoingMessage, OutgoingOpen } from "../cell/outgoing.ts";
import type { RemoteCounts } from "../routing/remote.ts";
import { decodeValue, encodeValue, encodingOf } from "../contract/values.ts";

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
    const { contract, name } = message;
    const schema = tellSchema(contract, name);
    if (schema === null) throw unknownMessage("tell", message);
    return this.#checked(message, schema, tellWithout) as Promise<void>;
  }

  /** Resolves to the actor's answer. */
  ask(message: OutgoingMessage): Promise<unknown> {
    const { contract, name } = message;
    const schemas = askSchemas(contract, name);
    if (schemas === null) throw unknownMessage("ask", message);
    const { output } = schemas;
    const encoding = encodingOf(contract);
    return this.#checked(message, schemas.input, (answer) => {
      const value = encoding === "bytes"
        ? answer.keep()
        : decodeValue(name, answer.payload, encoding, "RESULT_INVALID");
      return validate(output, value, (issues, cause) => outputInvalid(name, issues, cause));
    });
  }

  /** Resolves when the actor has accepted the channel. */
  open(message: OutgoingOpen): Promise<ActorChannel> {
    const { contract, name, input } = message;
    const schemas = channelSchemas(contract, name);
    if (schemas === null) throw unknownMessage("channel", message);
    const valid = validate(schemas.fromOpener, input, (issues, cause) => inputInvalid(name, issues, cause));
    return this.#inTurn(message, valid, async (message) => {
      const { instance, target, origin, timeoutMs = this.#defaultMs } = message;
      const port = this.#port;
      // Its streams need the connection first.
      if (instance !== port.instanceId && !port.isUp(instance)) await port.reach(instance, timeoutMs);
      const opening = new StreamOpen(ChannelStreams.of(port), message, schemas, this.#terms);
      try {
        const encoding = encodingOf(contract);
        this.#counts.sent++;
        const value = joined(opening.invitation, encodeValue(name, input, encoding));
        return await port.call(
          openHandler,
          instance,
          this.#writer.write(target, name, encoding, origin, value),
          {
            timeoutMs,
            signal: opening.signal,
            label: labelOf(contract, name),
            accept: (answer) => opening.accept(answer),
            borrowed: this.#writer.borrowed,
          },
        );
      } catch (error) {
        opening.failed(error);
        throw meantFor(error, message);
      }
    });
  }

  /** Sends once the input is valid, and in the order of the calls. @param accept Reads the answer; null without one. */
  #checked(message: OutgoingMessage, schema: AnySchema, accept: Accept): Promise<unknown> {
    const { name, input } = message;
    const valid = validate(schema, input, (issues, cause) => inputInvalid(name, issues, cause));
    if (!(valid instanceof Promise) && this.#checking.size === 0) return this.#send(message, accept);
    const sent = this.#inTurn(message, valid, (checked) => this.#send(checked, accept));
    if (accept === tellWithout) sent.catch(ignore);
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

  #send(message: OutgoingMessage, accept: Accept): Promise<unknown> {
    const { target, instance, contract, name, input, origin, timeoutMs, signal } = message;
    const encoding = encodingOf(contract);
    const value = encodeValue(name, input, encoding);
    const payload = this.#writer.write(target, name, encoding, origin, value);
    this.#counts.sent++;
    const asks = accept !== tellWithout;
    const call: FeatureCall<unknown> = {
      timeoutMs,
      signal,
      label: labelOf(contract, name),
      accept,
      within: origin.trace,
      borrowed: this.#writer.borrowed,
      failed: (error, promise) => {
        // Nobody need await a message without an answer.
        if (!asks) promise.catch(ignore);
        return meantFor(error, message);
      },
    };
    return asks
      ? this.#port.call(askHandler, instance, payload, call)
      : this.#port.sync(tellHandler, instance, payload, call);
  }
}

type Accept = NonNullable<FeatureCall<unknown>["accept"]>;

/** Stands for a message without an answer. */
const tellWithout: Accept = () => undefined;
const ignore = (): void => {};

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(first.length + second.length);
  bytes.set(first);
  bytes.set(second, first.length);
  return bytes;
}

function labelOf(contract: ActorContract, name: string): string {
  return `${contract.name}.${name}`;
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
