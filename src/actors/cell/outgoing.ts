import { ZeromeshError } from "../../core/mod.ts";
import type { FeatureCall, HandlerTrace } from "../../messenger/mod.ts";
import type { ActorContract } from "../contract/contract.ts";
import type { ActorOpenOptions } from "../references/actor_channel.ts";
import type { ActorAddress } from "../references/address.ts";
import type { Origin, Sender } from "./parts.ts";

const unsent = {};

/** For whom a message is. */
export interface Recipient extends ActorAddress {
  /** The contract, which has the encoding and the schemas. */
  readonly contract: ActorContract;
}

/** Takes a tell that has failed, with its error. */
export type DeadTells = (message: OutgoingMessage, error: unknown) => void;

/** A message for an actor of another instance, which is also the call that carries it. */
export class OutgoingMessage implements FeatureCall<unknown> {
  /** The actor. */
  readonly to: Recipient;
  /** The message's name. */
  readonly name: string;
  /** The value, not validated yet. */
  readonly input: unknown;
  /** Sender, headers and chain. */
  readonly origin: Origin;
  /** Time in milliseconds; undefined for the default. */
  readonly timeoutMs: number | undefined;
  /** Gives up. */
  readonly signal: AbortSignal | undefined;
  /** Takes a tell that has failed; null without. */
  readonly dead: DeadTells | null;
  /** What all messages of its name have in common; set when it is sent. */
  kind: Pick<FeatureCall<unknown>, "label" | "accept"> = unsent;
  borrowed = false;
  headers: Readonly<Record<string, string>> | undefined = undefined;

  constructor(
    to: Recipient,
    name: string,
    input: unknown,
    origin: Origin,
    timeoutMs: number | undefined,
    signal: AbortSignal | undefined,
    dead: DeadTells | null,
  ) {
    this.to = to;
    this.name = name;
    this.input = input;
    this.origin = origin;
    this.timeoutMs = timeoutMs;
    this.signal = signal;
    this.dead = dead;
  }

  get label(): string | undefined {
    return this.kind.label;
  }

  /** Reads the answer; undefined for a tell. */
  get accept(): FeatureCall<unknown>["accept"] {
    return this.kind.accept;
  }

  get within(): HandlerTrace | null {
    return this.origin.trace;
  }

  /** The same with what is left of its time. Whoever waits for it takes its failure. */
  later(timeoutMs: number): OutgoingMessage {
    return new OutgoingMessage(this.to, this.name, this.input, this.origin, timeoutMs, this.signal, null);
  }

  failed(error: unknown, promise: Promise<unknown>): unknown {
    const meant = meantFor(error, this.to);
    if (this.accept === undefined) this.#lost(error === undefined ? null : { error: meant }, promise);
    return meant;
  }

  /** A tell has failed, whose promise nobody need await. @param known Its error; null for that of the promise. */
  #lost(known: { readonly error: unknown } | null, promise: Promise<unknown>): void {
    const { dead } = this;
    if (dead !== null && known !== null) dead(this, known.error);
    promise.catch((error) => {
      if (known === null) dead?.(this, error);
    });
  }
}

/** The opening of a channel to an actor of another instance. */
export interface OutgoingOpen {
  /** The message. */
  readonly message: OutgoingMessage;
  /** The actor that opens it; null for others. */
  readonly sender: Sender | null;
  /** How it takes the channel's items. */
  readonly options: ActorOpenOptions | undefined;
}

/** The error of a message: an instance without an actor system has no actors. */
export function meantFor(error: unknown, { address, instance }: ActorAddress): unknown {
  // An actor that lacks the message says so in details.
  if (
    !(error instanceof ZeromeshError) || error.code !== "HANDLER_NOT_FOUND" || error.details !== undefined
  ) {
    return error;
  }
  const message = `There is no actor ${address}: its instance has no actor system`;
  return new ZeromeshError("ACTOR_NOT_FOUND", message, {
    peer: instance,
    details: { actor: address },
    cause: error,
  });
}
