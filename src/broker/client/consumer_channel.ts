import { Backoff, Condition, errorText, type InstanceId, pause, ZeromeshError } from "../../core/mod.ts";
import { ChannelHandle, consume, type ConsumingChannel, type ProducerRoute } from "../channels/mod.ts";
import type { ChannelContract } from "../contract.ts";
import type { PlainConsumer, PlainRoute } from "../plain/mod.ts";
import { agreementOf } from "../schema_agreement.ts";
import type { BrokerConnection } from "./connection.ts";
import type { ConnectChannelOptions } from "./options.ts";
import { plainConsumer } from "./plain_channels.ts";
import { ConsumerEntry } from "./registrations.ts";
import { peerOf } from "./terms.ts";

/** How long, in milliseconds, a producer is tried to be reached before the way to it is looked up again. */
const reachMs = 5_000;
/** How long, in milliseconds, a producer that does not listen is given to dial, before the broker has to relay. */
const dialledMs = 1_000;
/** How long, in milliseconds, a new handle tries to open the channel at the producer; with a time limit, at least. */
const openMs = { else: 10_000, least: 1_000 } as const;

/** A consumer of a channel that is registered, and then opened. */
export class ConsumerChannel<Contract extends ChannelContract> {
  readonly entry: ConsumerEntry;
  readonly #connection: BrokerConnection;
  readonly #contract: Contract;
  #run: ConsumingChannel | null = null;
  #plain: PlainConsumer | null = null;
  #failure: unknown = null;

  constructor(connection: BrokerConnection, contract: Contract) {
    this.#connection = connection;
    this.#contract = contract;
    const { hash, version } = agreementOf(contract);
    this.entry = new ConsumerEntry(
      connection,
      contract.name,
      {
        pattern: contract.pattern,
        transport: null,
        schema: { hash, version },
        peer: peerOf(connection.messenger),
      },
      {
        ended: (reason) => {
          this.#run?.invalidate(reason.message, reason);
          void this.#plain?.ended(reason);
        },
        closing: (reason) => {
          (this.#run ?? this.#plain)?.closing(reason.message);
          void this.#plain?.ended(reason);
        },
        registered: () => this.#moved(),
        noticed: () => this.#moved(),
      },
      new Backoff({ firstMs: 20, maxMs: 1_000 }),
    );
  }

  /**
   * Opens the channel, once it is registered.
   *
   * @param options Checked already.
   * @throws {ZeromeshError} Why it cannot be opened.
   */
  async open(given: ConnectChannelOptions): Promise<ChannelHandle<Contract, "consumer">> {
    const { route } = this.entry;
    if (route?.transport === "plain") return await this.#openPlain(route, given);
    const { signal, timeoutMs, keys: _, ...options } = given;
    const { handle, run } = consume({
      port: this.#connection.port,
      contract: this.#contract,
      options,
      sharedMemory: this.entry.view?.sharedMemory ?? null,
      source: { route: (gone) => this.#route(gone) },
      left: () => this.entry.drop(),
    });
    this.#run = run;
    // Also if it ends with its producer: the broker waits for consumers that have not left.
    void run.closed.then(() => this.entry.drop()).catch(() => {});
    const give = (): void => run.invalidate("it was given up");
    signal?.addEventListener("abort", give, { once: true });
    let opened = false;
    // A producer that refuses this instance's key is not reached later either.
    this.#connection.later(Math.max(timeoutMs ?? openMs.else, openMs.least), () => {
      if (!opened) run.invalidate("it was not opened", this.#unreached());
    });
    try {
      await run.opened;
      opened = true;
      return handle;
    } catch (error) {
      await this.entry.drop().catch(() => {});
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", give);
    }
  }

  async #openPlain(
    route: PlainRoute,
    options: ConnectChannelOptions,
  ): Promise<ChannelHandle<Contract, "consumer">> {
    try {
      const run = await plainConsumer(this.#connection, this.#contract, this.entry, route, options);
      this.#plain = run;
      void run.closed.then(() => this.entry.drop()).catch(() => {});
      this.#moved();
      return new ChannelHandle<Contract, "consumer">(run);
    } catch (error) {
      await this.entry.drop().catch(() => {});
      throw error;
    }
  }

  /** The data may come from elsewhere now. */
  #moved(): void {
    const { route } = this.entry;
    if (route?.transport === "plain") this.#plain?.moved(route);
  }

  #unreached(): ZeromeshError {
    const failure = this.#failure;
    const why = failure === null ? "it did not answer in time" : errorText(failure);
    const text = `Cannot open channel "${this.#contract.name}": its producer cannot be reached: ${why}`;
    return new ZeromeshError("PEER_UNREACHABLE", text, { cause: failure ?? undefined });
  }

  /** Finds a connected instance to open the channel at. @throws Why there will be none. */
  async #route(signal: AbortSignal): Promise<ProducerRoute> {
    const { changed, port } = this.#connection;
    const backoff = new Backoff({ firstMs: 20, maxMs: 1_000 });
    for (;;) {
      signal.throwIfAborted();
      await changed.until(() => this.#known(), { timeoutMs: Infinity, signal });
      const { route, lastPresence: presence } = this.entry;
      if (route?.transport === "stream") {
        const instance = await this.#reach(route);
        if (instance !== null) return { instance, presence };
      }
      await pause(port.clock, backoff.next(), signal);
    }
  }

  /** Whether the way is known. @throws Why there is none. */
  #known(): boolean {
    const { over, ended, route } = this.entry;
    const why: ZeromeshError | null = over ?? ended;
    if (why !== null) throw why;
    return route !== null;
  }

  /** Connects to the producer, or to the broker that relays; null if neither can be reached now. */
  async #reach(
    { instance, peer }: Extract<NonNullable<ConsumerEntry["route"]>, { transport: "stream" }>,
  ): Promise<InstanceId | null> {
    const { port, messenger } = this.#connection;
    if (instance === port.instanceId || port.isUp(instance)) return instance;
    if (peer === null) {
      if (messenger.endpoints.length > 0 && await this.#dialled(instance)) return instance;
      return this.#connection.broker?.instance ?? null;
    }
    try {
      messenger.registerPeer(peer);
      await port.reach(instance, reachMs);
      return instance;
    } catch (error) {
      this.#failure = error;
      return null;
    }
  }

  /** Waits for a producer that does not listen to dial this instance, as it does when the broker has told it. */
  async #dialled(instance: InstanceId): Promise<boolean> {
    const { port } = this.#connection;
    const up = new Condition(port.clock);
    using _watch = port.watch({ up: () => up.changed() });
    return await up.until(() => port.isUp(instance), { timeoutMs: dialledMs }).then(() => true, () => false);
  }
}
