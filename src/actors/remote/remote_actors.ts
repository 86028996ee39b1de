import { ZeromeshError } from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import type { ActorChannel } from "../channels/channel.ts";
import { systemAt } from "./client.ts";
import { Inbound, type InboundParts } from "./inbound.ts";
import { Outbound } from "./outbound.ts";
import type { OutgoingMessage, OutgoingOpen, Remote } from "./remote.ts";

/** A system's way to actors of other instances, and theirs to its actors. */
export class RemoteActors implements Remote {
  readonly #outbound: Outbound;
  readonly #inbound: Inbound;
  readonly #port: SystemPort;

  constructor(parts: InboundParts) {
    this.#inbound = new Inbound(parts);
    this.#port = parts.port;
    this.#outbound = new Outbound(parts.port);
  }

  tell(message: OutgoingMessage): Promise<void> {
    return this.#outbound.tell(message);
  }

  ask(message: OutgoingMessage): Promise<unknown> {
    return this.#outbound.ask(message);
  }

  open(message: OutgoingOpen): Promise<ActorChannel> {
    return this.#outbound.open(message);
  }

  watch(): Disposable {
    throw unbuilt("watches");
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#inbound[Symbol.dispose]();
    systemAt(this.#port, null);
    return Promise.resolve();
  }
}

function unbuilt(what: string): ZeromeshError {
  return new ZeromeshError("FEATURE_UNAVAILABLE", `${what} of actors of other instances are not built yet`);
}
