import { EndOf, errorText, onAbort } from "./core/mod.ts";
import { DiscoveryHub } from "./discovery_hub.ts";
import { type AttachedEvents, attachEvents, resolveEventOptions } from "./events/mod.ts";
import {
  Builtins,
  closeOptionTable,
  type InboundCall,
  MessengerCore,
  type MessengerHandle,
  type ResolvedOptions,
  resolveOptions,
  type Session,
} from "./messenger/mod.ts";
import type { MessengerOptions } from "./messenger_options.ts";
import { ServiceCalls } from "./services/mod.ts";
import { ZmqTransport } from "./transport/mod.ts";
import { type ContextLease, leaseContext, type LibraryInfo } from "./libzmq/mod.ts";

/** The state that a messenger shares with the ones that its handlers get. */
export class MessengerState {
  readonly library: LibraryInfo;
  /** Discovery; null without. */
  readonly hub: DiscoveryHub | null;
  readonly end: EndOf = new EndOf();
  core!: MessengerCore;
  events!: AttachedEvents;
  builtins!: Builtins;
  #closing: Promise<void> | null = null;

  constructor(library: LibraryInfo, hub: DiscoveryHub | null) {
    this.library = library;
    this.hub = hub;
  }

  /**
   * Closes the messenger when a signal aborts, as `close()` does.
   *
   * @throws {unknown} The reason of a signal that has aborted already; the messenger is closed then.
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

  /** Closes the messenger. A second call returns the first promise. */
  close(timeoutMs: number = closeOptionTable.timeoutMs.fallback, reason = "closed"): Promise<void> {
    if (this.#closing !== null) return this.#closing;
    const close = () => this.core.close(timeoutMs);
    this.#closing = this.hub === null ? close() : this.hub.around(close);
    return this.end.follow(this.#closing, () => this.hub?.leftBehind ?? reason);
  }
}

/**
 * Makes the state of a messenger: opens the transport, adds the built-in handlers and registers with discovery.
 *
 * @param options The options of `Messenger.create`, checked by their table.
 * @param messengerFor Makes the messenger that a handler gets.
 * @throws The error, or the signal's reason. Nothing is left open then.
 */
export async function openState(
  options: MessengerOptions,
  messengerFor: (state: MessengerState, call: InboundCall) => MessengerHandle,
): Promise<{ readonly state: MessengerState; readonly resolved: ResolvedOptions }> {
  const { signal } = options;
  signal?.throwIfAborted();
  const resolved = resolveOptions(options);
  const sizes = resolveEventOptions(options.events);
  const hub = DiscoveryHub.of(options, resolved);
  let lease: ContextLease | null = null;
  let state: MessengerState;
  try {
    const { context, release } = lease = await leaseContext(resolved);
    signal?.throwIfAborted();
    const made = state = new MessengerState(context.library, hub);
    state.core = await MessengerCore.create({
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
    state.events = attachEvents(state.core.system, sizes);
    const services = (): readonly string[] => hub?.announced ?? [];
    state.builtins = new Builtins(state.core, { ...resolved, services });
  } catch (error) {
    // No peer knows of it yet, so there is nothing else to close.
    const release = async (): Promise<void> => await lease?.release();
    await (hub === null ? release() : hub.around(release));
    throw error;
  }
  const { core } = state;
  if (hub !== null) {
    core.status.watch(({ type }) => {
      // A failure is logged and retried by the announcement.
      if (type === "handlerRegistered") hub.announce(core.instanceId).catch(() => {});
    });
  }
  try {
    signal?.throwIfAborted();
    await hub?.register(state.core.connections.peerInfo(), signal);
  } catch (error) {
    await state.close(0);
    throw error;
  }
  return { state, resolved };
}
