import { EndOf, errorText, onAbort } from "./core/mod.ts";
import { DiscoveryHub } from "./discovery_hub.ts";
import { type AttachedEvents, attachEvents, resolveEventOptions } from "./events/mod.ts";
import {
  Builtins,
  type InboundCall,
  MessengerCore,
  messengerDefaults,
  type MessengerHandle,
  type ResolvedOptions,
  resolveOptions,
  type Session,
} from "./messenger/mod.ts";
import type { MessengerOptions } from "./messenger_options.ts";
import { ServiceCalls } from "./services/mod.ts";
import { ZmqTransport } from "./transport/mod.ts";
import { type ContextLease, leaseContext, type LibraryInfo } from "./libzmq/mod.ts";

/** What a messenger and those that its handlers get have in common. */
export class Inside {
  /** The libzmq in use. */
  readonly library: LibraryInfo;
  /** Its use of discovery; null without. */
  readonly hub: DiscoveryHub | null;
  /** Tells when it is closed, and why. */
  readonly end: EndOf = new EndOf();
  /** What does the work. */
  core!: MessengerCore;
  /** Its events. */
  events!: AttachedEvents;
  /** Its built-in handlers. */
  builtins!: Builtins;
  #closing: Promise<void> | null = null;

  /** Made before anything else of a messenger. */
  constructor(library: LibraryInfo, hub: DiscoveryHub | null) {
    this.library = library;
    this.hub = hub;
  }

  /**
   * Closes it when a signal aborts, as `close()` does.
   *
   * @throws {unknown} The signal's reason, when it has aborted. It is closed then.
   */
  async closeOn(signal: AbortSignal | undefined): Promise<void> {
    if (signal === undefined) return;
    if (signal.aborted) {
      await this.close(0);
      throw signal.reason;
    }
    const aborted = () => `the signal aborted: ${errorText(signal.reason)}`;
    const listening = onAbort(signal, () => void this.close(undefined, aborted()).catch(() => {}));
    void this.end.closed.then(() => listening[Symbol.dispose]());
  }

  /** Closes it. The second call returns the first promise. */
  close(timeoutMs: number = messengerDefaults.closeTimeoutMs, reason = "closed"): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const close = () => this.core.close(timeoutMs);
    this.#closing = this.hub === null ? close() : this.hub.around(close);
    return this.end.follow(this.#closing, () => this.hub?.leftBehind ?? reason);
  }
}

/**
 * Makes what is inside a messenger: opens its transport, adds its built-in handlers and makes it known.
 *
 * @param options Those of `Messenger.create`, checked by their table.
 * @param messengerFor Makes the messenger that a handler gets.
 * @throws What failed, or the reason of the signal. Nothing is left open then.
 */
export async function openInside(
  options: MessengerOptions,
  messengerFor: (inside: Inside, call: InboundCall) => MessengerHandle,
): Promise<{ readonly inside: Inside; readonly resolved: ResolvedOptions }> {
  const { signal } = options;
  signal?.throwIfAborted();
  const resolved = resolveOptions(options);
  const sizes = resolveEventOptions(options.events);
  const hub = DiscoveryHub.of(options, resolved);
  let lease: ContextLease | null = null;
  let inside: Inside;
  try {
    const { context, release } = lease = await leaseContext(resolved);
    signal?.throwIfAborted();
    const made = inside = new Inside(context.library, hub);
    inside.core = await MessengerCore.create({
      options: resolved,
      messengerFor: (call) => messengerFor(made, call),
      openTransport: (instanceId, handler) =>
        ZmqTransport.create<Session>(resolved, {
          context,
          instanceId,
          handler,
          clock: resolved.clock,
          logger: resolved.logger,
        }),
      lookup: hub,
      router: (host) => hub?.router(host) ?? new ServiceCalls({ ...host, directory: null }),
      release,
    });
    inside.events = attachEvents(inside.core.system, sizes);
    const services = (): readonly string[] => hub?.announced ?? [];
    inside.builtins = new Builtins(inside.core, { ...resolved, services });
  } catch (error) {
    // Nobody was told of it, and there is nothing to close but this.
    const release = async (): Promise<void> => await lease?.release();
    await (hub === null ? release() : hub.around(release));
    throw error;
  }
  const { core } = inside;
  if (hub !== null) {
    core.status.watch(({ type }) => {
      // What fails is logged and tried again.
      if (type === "handlerRegistered") hub.announce(core.instanceId).catch(() => {});
    });
  }
  try {
    signal?.throwIfAborted();
    await hub?.register(inside.core.connections.peerInfo(), signal);
  } catch (error) {
    await inside.close(0);
    throw error;
  }
  return { inside, resolved };
}
