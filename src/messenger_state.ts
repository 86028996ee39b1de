import { EndOf, errorText, onAbort, readOptions } from "./core/mod.ts";
import { DiscoveryHub } from "./discovery_hub.ts";
import type { FeatureStats } from "./features.ts";
import {
  type AnyFeature,
  type AttachedFeature,
  Builtins,
  closeOptionTable,
  type InboundCall,
  MessengerCore,
  type MessengerFeature,
  type MessengerHandle,
  type ResolvedOptions,
  resolveOptions,
  type Session,
} from "./messenger/mod.ts";
import { type Observed, observeMessenger } from "./messenger_metrics.ts";
import { type MessengerOptions, optionTableOf } from "./messenger_options.ts";
import type { FullStats } from "./stat_metrics.ts";
import { serveDescription, ServiceCalls } from "./services/mod.ts";
import { ZmqTransport } from "./transport/mod.ts";
import { type ContextLease, leaseContext, type LibraryInfo } from "./libzmq/mod.ts";

/** The state that a messenger shares with the ones that its handlers get. */
export class MessengerState {
  readonly library: LibraryInfo;
  /** Discovery; null without. */
  readonly hub: DiscoveryHub | null;
  readonly end: EndOf = new EndOf();
  core!: MessengerCore;
  readonly #attached = new Map<AnyFeature, AttachedFeature>();
  builtins!: Builtins;
  #closing: Promise<void> | null = null;

  constructor(library: LibraryInfo, hub: DiscoveryHub | null) {
    this.library = library;
    this.hub = hub;
  }

  /** Attaches a feature. */
  attach(feature: AnyFeature, options: MessengerOptions): void {
    this.#attached.set(feature, feature.attach(this.core.system, options));
  }

  /** What attaching one of its features has given. */
  attached<Attached extends AttachedFeature>(
    feature: MessengerFeature<string, Record<never, never>, Attached>,
  ): Attached {
    return this.#attached.get(feature) as Attached;
  }

  /** A snapshot of the counters. */
  stats(): FullStats {
    const features = Object.fromEntries(
      [...this.#attached].map(([{ name }, attached]) => [name, attached.stats()]),
    ) as FeatureStats;
    return {
      ...this.core.stats(),
      ...this.builtins.stats(),
      ...features,
      services: this.hub?.stats() ?? null,
    };
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

/** Makes a messenger that has these features. @param make Makes the object for users, or for the handler of a message. */
export async function createMessenger<Messenger extends MessengerHandle & Observed>(
  features: readonly AnyFeature[],
  given: MessengerOptions | undefined,
  make: (state: MessengerState, call: InboundCall | null) => Messenger,
): Promise<Messenger> {
  const options = readOptions(given, optionTableOf(features), "Cannot create a messenger");
  const { state, resolved } = await openState(options, features, make);
  const messenger = make(state, null);
  observeMessenger(messenger, state.core, resolved, features);
  await state.closeOn(options.signal);
  return messenger;
}

/**
 * Makes the state of a messenger: opens the transport, adds the built-in handlers and registers with discovery.
 *
 * @param options The options of `Messenger.create`, checked by their table.
 * @param features What it has.
 * @param messengerFor Makes the messenger that a handler gets.
 * @throws The error, or the signal's reason. Nothing is left open then.
 */
async function openState(
  options: MessengerOptions,
  features: readonly AnyFeature[],
  messengerFor: (state: MessengerState, call: InboundCall) => MessengerHandle,
): Promise<{ readonly state: MessengerState; readonly resolved: ResolvedOptions }> {
  const { signal } = options;
  signal?.throwIfAborted();
  const resolved = resolveOptions(options, features.map(({ name }) => name));
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
    for (const feature of features) state.attach(feature, options);
    state.builtins = new Builtins(state.core, resolved);
    serveDescription(state.core.system, () => {
      const { handlers, calls } = made.core.stats();
      return { services: hub?.announced ?? [], running: handlers.running, pending: calls.pending };
    });
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
