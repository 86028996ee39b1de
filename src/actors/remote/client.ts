import { type OptionTable, readOptions, ZeromeshError } from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { channelCounts } from "../cell/channel_counts.ts";
import type { Origin, Sender } from "../cell/parts.ts";
import { plainOrigin } from "../cell/origin.ts";
import type { ActorChannel, OpenOptions } from "../references/actor_channel.ts";
import { checkOpener } from "../channels/opener_receiver.ts";
import { notFound } from "../failures.ts";
import {
  askOptionTable,
  openOptionTable,
  systemDefaults,
  tellOptionTable,
} from "../options/system_options.ts";
import type { Reference, Router } from "../routing/reference.ts";
import type { AskOptions, TellOptions } from "../references/actor_ref.ts";
import type { ActorAddress } from "../references/address.ts";
import { type EndCall, Watches } from "../supervision/watches.ts";
import { watchFrom } from "./outbound_watch.ts";
import { Outbound } from "./outbound.ts";
import { OutgoingMessage } from "../cell/outgoing.ts";

const clients = new WeakMap<SystemPort, ActorClient>();

/** The actor system of a messenger. */
interface OwnSystem {
  readonly router: Router;
  watch(ref: ActorAddress, watcher: null, ended: EndCall): Disposable;
}

/** The router of references that a messenger makes. */
export function clientAt(port: SystemPort): ActorClient {
  let client = clients.get(port);
  if (client === undefined) clients.set(port, client = new ActorClient(port));
  return client;
}

/** Refuses a second actor system of a messenger. */
export function refuseSecondSystem(port: SystemPort): void {
  if (clientAt(port).system === null) return;
  throw new ZeromeshError(
    "HANDLER_EXISTS",
    "Cannot make an actor system: this messenger has one already; use that one, or close it first",
  );
}

/** Notes the actor system of a messenger, whose actors its own references reach; null when it is closed. */
export function systemAt(port: SystemPort, system: OwnSystem | null): void {
  clientAt(port).system = system;
}

/** Sends messages to actors by a messenger alone, without an actor system. */
class ActorClient implements Router {
  /** The actor system of its messenger; null without one. */
  system: OwnSystem | null = null;
  readonly #port: SystemPort;
  readonly #outbound: Outbound;
  readonly #origin: Origin;
  #watches: Watches | null = null;

  constructor(port: SystemPort) {
    this.#port = port;
    this.#outbound = new Outbound({
      port,
      counts: { sent: 0, received: 0, probes: 0 },
      options: systemDefaults,
      channelCounts: channelCounts(),
    });
    this.#origin = plainOrigin(port.instanceId);
  }

  tell(to: Reference, name: string, input: unknown, options?: TellOptions): Promise<void> {
    try {
      const own = this.#own(to);
      if (own !== null) return own.tell(to, name, input, options, null);
      return this.#outbound.tell(this.#outgoing(to, name, input, options, tellOptionTable, "Cannot tell"));
    } catch (error) {
      const failed = Promise.reject(error);
      // Nobody need await it.
      failed.catch(() => {});
      return failed;
    }
  }

  ask(to: Reference, name: string, input: unknown, options?: AskOptions): Promise<unknown> {
    try {
      const own = this.#own(to);
      if (own !== null) return own.ask(to, name, input, options, null);
      return this.#outbound.ask(this.#outgoing(to, name, input, options, askOptionTable, "Cannot ask"));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  open(
    to: Reference,
    name: string,
    first: unknown,
    options: OpenOptions | undefined,
    _sender: Sender | null,
  ): Promise<ActorChannel> {
    try {
      const own = this.#own(to);
      if (own !== null) return own.open(to, name, first, options, null);
      const message = this.#outgoing(to, name, first, options, openOptionTable, "Cannot open a channel");
      checkOpener(null, options);
      return this.#outbound.open({ message, sender: null, options });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `ActorSystem.watch`, and by the messenger's system if it has one. */
  watch(to: ActorAddress, ended: EndCall): Disposable {
    const system = this.system;
    return system === null ? this.#ownWatches.start(to, null, ended) : system.watch(to, null, ended);
  }

  get #ownWatches(): Watches {
    if (this.#watches !== null) return this.#watches;
    const port = this.#port;
    const watches = this.#watches = new Watches({
      instanceId: port.instanceId,
      logger: port.logger,
      options: systemDefaults,
      find: () => null,
      watchRemote: ({ instance, target }, ended) =>
        watchFrom(port, instance, target, systemDefaults.askTimeoutMs, ended),
    });
    port.watch({ closing: () => watches.close() });
    return watches;
  }

  /** The router of the messenger's system, which also counts what goes to others; null without one. */
  #own({ instance, address }: Reference): Router | null {
    const system = this.system;
    if (system === null && instance === this.#port.instanceId) throw notFound(address);
    return system?.router ?? null;
  }

  #outgoing(
    to: Reference,
    name: string,
    input: unknown,
    given: AskOptions | undefined,
    table: OptionTable<AskOptions>,
    cannot: string,
  ): OutgoingMessage {
    if (given === undefined) {
      return new OutgoingMessage(to, name, input, this.#origin, undefined, undefined, null);
    }
    const { headers, timeoutMs, signal } = readOptions(given, table, cannot, name);
    const origin = headers === undefined ? this.#origin : { ...this.#origin, headers: { ...headers } };
    return new OutgoingMessage(to, name, input, origin, timeoutMs, signal, null);
  }
}
