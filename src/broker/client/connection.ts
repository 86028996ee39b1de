import {
  Alarm,
  Backoff,
  Broadcast,
  Condition,
  Deadlines,
  errorText,
  type InstanceId,
  onAbort,
  supervise,
  ZeromeshError,
} from "../../core/mod.ts";
import { portOf, type SystemPort } from "../../messenger/mod.ts";
import type { Messenger } from "../../mod.ts";
import { ownProcess } from "../../runtime/mod.ts";
import { anchorsAt } from "../../streams/mod.ts";
import { brokerContracts, type Welcome } from "../protocol/contracts.ts";
import { type BrokerNotice, noticeSchema } from "../protocol/notices.ts";
import { protocolVersions } from "../protocol/version.ts";
import { Registering } from "./registering.ts";
import type { Registration, RegistrationHost } from "./registrations.ts";
import type { ConnectionStats } from "./connection_stats.ts";
import {
  type ClientRequest,
  codesOfDials,
  type RequestInput,
  requestMs,
  type RequestOutput,
  sendRequest,
} from "./requests.ts";

/**
 * How long, in milliseconds, one attempt to reach an endpoint lasts, if there are others or not. The pauses between dials grow to a
 * twentieth of it: 300 clients that dialled ten times a second kept a broker from starting.
 */
const attemptMs = { first: 1_000, several: 2_000, one: 10_000 };
/** Registrations that are under way at a time. */
const atOnce = 256;

/** A broker that answers. */
export interface LiveBroker {
  readonly instance: InstanceId;
  readonly welcome: Welcome;
}

const all = new WeakMap<SystemPort, Map<string, BrokerConnection>>();

/** The connection of a messenger to a broker, which all clients of the messenger for that broker share. */
export class BrokerConnection implements RegistrationHost {
  readonly port: SystemPort;
  readonly messenger: Messenger;
  /** Tells waiters of each change. */
  readonly changed: Condition;
  /** The notices of the broker. */
  readonly notices: Broadcast<BrokerNotice> = new Broadcast();
  readonly #endpoints: readonly string[];
  readonly #serverKey: string | undefined;
  readonly #name: string | null;
  readonly #registrations = new Set<Registration>();
  /** The same by channel, for notices. */
  readonly #byChannel = new Map<string, readonly Registration[]>();
  readonly #metrics = new Map<string, Readonly<Record<string, number>>>();
  /** Channels whose counters the broker was not told. */
  readonly #untold = new Set<string>();
  readonly #registering = new Registering((name, input) => this.request(name, input));
  readonly #deadlines: Deadlines;
  readonly #abort = new AbortController();
  readonly #release: () => void;
  #hold: Disposable | null = null;
  #users = 0;
  #broker: LiveBroker | null = null;
  #lost: (() => void) | null = null;
  #next = 0;
  #lastFailure: unknown = null;
  #counts = { connects: 0, losses: 0, requests: 0, failures: 0, notices: 0 };
  #roundTripMs: number | null = null;
  #answeredAt: number | null = null;

  private constructor(
    messenger: Messenger,
    port: SystemPort,
    endpoints: readonly string[],
    serverKey: string | undefined,
    name: string | null,
    release: () => void,
  ) {
    this.messenger = messenger;
    this.port = port;
    this.#endpoints = endpoints;
    this.#serverKey = serverKey;
    this.#name = name;
    this.#release = release;
    this.changed = new Condition(port.clock);
    this.#deadlines = new Deadlines(port.clock);
    const { signal } = this.#abort;
    void supervise((healthy) => this.#live(healthy), {
      clock: port.clock,
      backoff: new Backoff({ firstMs: 20, maxMs: 500 }),
      signal,
      failed: (error) => {
        this.#lastFailure = error;
        port.logger.debug("The broker cannot be reached", { error: errorText(error) });
      },
    });
    const watch = port.watch({ closing: () => this.#end() });
    onAbort(signal, () => watch[Symbol.dispose]());
  }

  /** The connection to one of these endpoints; {@link leave} gives it back. */
  static join(
    messenger: Messenger,
    endpoints: readonly string[],
    serverKey: string | undefined,
    name: string | null,
  ): BrokerConnection {
    const port = portOf(messenger);
    if (port === undefined) {
      throw new TypeError("Cannot connect to a broker: the first argument must be a Messenger");
    }
    let ofPort = all.get(port);
    if (ofPort === undefined) all.set(port, ofPort = new Map());
    const key = JSON.stringify([endpoints, serverKey]);
    const mine = ofPort;
    let connection = mine.get(key);
    if (connection === undefined) {
      const release = (): void => void mine.delete(key);
      connection = new BrokerConnection(messenger, port, endpoints, serverKey, name, release);
      mine.set(key, connection);
    }
    connection.#users++;
    return connection;
  }

  /** A client needs it no more. The last one closes it. */
  leave(): void {
    if (--this.#users === 0) this.#end();
  }

  /** The broker; null while none answers. */
  get broker(): LiveBroker | null {
    return this.#broker;
  }

  /** Why the last attempt to reach a broker failed; null without one. */
  get lastFailure(): unknown {
    return this.#lastFailure;
  }

  /** A snapshot of the counters. */
  stats(): ConnectionStats {
    let registered = 0;
    for (const one of this.#registrations) if (one.presence !== null) registered++;
    const answeredAt = this.#answeredAt;
    return {
      connected: this.#broker !== null,
      ...this.#counts,
      roundTripMs: this.#roundTripMs,
      lastAnswerMs: answeredAt === null ? null : this.port.clock.now() - answeredAt,
      registrations: { remembered: this.#registrations.size, registered },
    };
  }

  /**
   * Asks the broker.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` without a broker, the errors of a call, and those of the broker.
   */
  async request<Name extends ClientRequest>(
    name: Name,
    input: RequestInput<Name>,
  ): Promise<RequestOutput<Name>> {
    const broker = this.#broker;
    if (broker === null) throw this.unreachable();
    this.#counts.requests++;
    try {
      const answer = await sendRequest(this.port, name, broker.instance, input);
      this.#answeredAt = this.port.clock.now();
      return answer;
    } catch (error) {
      this.#counts.failures++;
      // It has been restarted under the same connection, or has given this client up.
      if (codeOf(error) === "CLIENT_UNKNOWN" && this.#broker === broker) this.#lost?.();
      // A dial that was cut off looks like a refusal, and the broker has refused nothing.
      const isRefusal = this.port.isUp(broker.instance) || !codesOfDials.has(codeOf(error));
      throw isRefusal ? error : this.unreachable(error);
    }
  }

  /** Registers, with the others of this turn. @throws {ZeromeshError} As {@link request}. */
  register<Name extends "register" | "registerConsumer">(
    name: Name,
    input: RequestInput<Name>,
  ): Promise<RequestOutput<Name>> {
    return this.#registering.ask(name, input);
  }

  /** The error of something that needs a broker. */
  unreachable(cause: unknown = this.#lastFailure): ZeromeshError {
    const why = cause === null ? "; is it started, and is this its endpoint?" : `: ${errorText(cause)}`;
    const where = this.#endpoints.join(", ");
    return new ZeromeshError("PEER_UNREACHABLE", `The broker at ${where} does not answer${why}`, {
      ran: "no",
      cause: cause ?? undefined,
    });
  }

  /** Waits until a broker answers. @throws {ZeromeshError} `PEER_UNREACHABLE`; the signal's reason. */
  async whenUp(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const late = (): ZeromeshError => this.unreachable();
    await this.changed.until(() => this.#broker !== null, { timeoutMs, signal, late });
  }

  /** Remembers a registration, which is made whenever a broker is reached, until {@link forget}. */
  remember(registration: Registration): void {
    this.#registrations.add(registration);
    this.#byChannel.set(registration.channel, [...this.#ofChannel(registration.channel), registration]);
    this.#hold ??= this.port.hold();
  }

  /** Forgets it. */
  forget(registration: Registration): void {
    if (!this.#registrations.delete(registration)) return;
    const { channel } = registration;
    const rest = this.#ofChannel(channel).filter((one) => one !== registration);
    if (rest.length > 0) this.#byChannel.set(channel, rest);
    else {
      this.#byChannel.delete(channel);
      this.#metrics.delete(channel);
      this.#untold.delete(channel);
    }
    if (this.#registrations.size > 0) return;
    this.#hold?.[Symbol.dispose]();
    this.#hold = null;
  }

  /** Counters of a channel leave with the next heartbeat. Returns whether the channel is registered. */
  report(channel: string, metrics: Readonly<Record<string, number>>): boolean {
    if (!this.#byChannel.has(channel)) return false;
    this.#metrics.set(channel, metrics);
    this.#untold.add(channel);
    return true;
  }

  /** The counters that the broker was not told. */
  #untoldMetrics(): { readonly metrics?: Record<string, Readonly<Record<string, number>>> } {
    if (this.#untold.size === 0) return {};
    const metrics: Record<string, Readonly<Record<string, number>>> = {};
    for (const channel of this.#untold) metrics[channel] = this.#metrics.get(channel) ?? {};
    this.#untold.clear();
    return { metrics };
  }

  #ofChannel(channel: string): readonly Registration[] {
    return this.#byChannel.get(channel) ?? [];
  }

  /** Calls back once after a time, unless the connection ends before. */
  later(timeoutMs: number, run: () => void): void {
    this.#deadlines.add(new Alarm(run), timeoutMs);
  }

  #end(): void {
    if (this.#abort.signal.aborted) return;
    this.#release();
    this.#abort.abort();
    this.#lost?.();
    this.#deadlines.close();
    this.notices.close();
    for (const one of [...this.#registrations]) this.forget(one);
  }

  /** The first attempt ends early, so that whoever waits for it learns why it failed. */
  #attemptMs(): number {
    if (this.#counts.connects === 0 && this.#lastFailure === null) return attemptMs.first;
    return this.#endpoints.length > 1 ? attemptMs.several : attemptMs.one;
  }

  /** Reaches a broker, and stays until it is lost. */
  async #live(healthy: () => void): Promise<void> {
    const { signal } = this.#abort;
    const endpoint = this.#endpoints[this.#next++ % this.#endpoints.length]!;
    const instance = await this.messenger.connect(endpoint, {
      serverKey: this.#serverKey,
      timeoutMs: this.#attemptMs(),
      signal,
    });
    const notices = anchorsAt(this.port).anchor({ unattachedTimeoutMs: requestMs });
    const { promise: over, resolve: lost } = Promise.withResolvers<void>();
    const watch = this.port.watch({
      lost: (peer, rest) => {
        if (peer === instance && rest !== "up") lost();
      },
    });
    try {
      const welcome = await this.port.call(brokerContracts.hello, instance, {
        ...protocolVersions,
        info: { ...ownProcess(), name: this.#name },
        notices: String(notices.handle),
      }, { timeoutMs: requestMs, signal });
      this.#lost = lost;
      void this.#read(notices, lost);
      const broker = { instance, welcome };
      this.#up(broker);
      healthy();
      // It goes down with the connection, by `lost`.
      void this.#beat(broker, lost);
      await over;
    } finally {
      watch[Symbol.dispose]();
      notices.cancel();
      this.#lost = null;
      if (this.#broker?.instance === instance) this.#down();
    }
  }

  #up(broker: LiveBroker): void {
    this.#broker = broker;
    this.#lastFailure = null;
    this.#counts.connects++;
    for (const channel of this.#metrics.keys()) this.#untold.add(channel);
    this.#answeredAt = this.port.clock.now();
    this.changed.changed();
    void this.#registerAll(broker);
  }

  #down(): void {
    this.#broker = null;
    this.#counts.losses++;
    for (const one of this.#registrations) one.down();
    this.changed.changed();
  }

  async #registerAll(broker: LiveBroker): Promise<void> {
    const waiting = [...this.#registrations];
    const work = async (): Promise<void> => {
      for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) {
        if (this.#broker === broker && this.#registrations.has(one)) await one.renew();
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, work));
  }

  /** Tells the broker that all registrations live, and registers those anew that it does not know. */
  async #tell(): Promise<void> {
    const registered = new Map<number, Registration>();
    for (const one of this.#registrations) if (one.presence !== null) registered.set(one.presence, one);
    const sentAt = this.port.clock.now();
    const { unknown } = await this.request("heartbeat", {
      presences: [...registered.keys()],
      ...this.#untoldMetrics(),
    });
    this.#roundTripMs = this.port.clock.now() - sentAt;
    for (const presence of unknown) {
      const one = registered.get(presence);
      if (one?.presence === presence) {
        one.down();
        void one.renew();
      }
    }
  }

  async #beat(broker: LiveBroker, lost: () => void): Promise<void> {
    let missed = 0;
    // The same broker may be reached again, and then beats for itself.
    while (this.#broker === broker) {
      const due = Promise.withResolvers<void>();
      this.later(broker.welcome.heartbeatMs, due.resolve);
      await due.promise;
      if (this.#broker !== broker) return;
      try {
        await this.#tell();
        missed = 0;
      } catch (error) {
        // One that hangs is looked for anew, as one that is gone.
        if (codeOf(error) !== "TIMEOUT" || ++missed === 2) lost();
      }
    }
  }

  async #read(notices: AsyncIterable<unknown>, lost: () => void): Promise<void> {
    try {
      for await (const entry of notices) {
        const { success, data } = noticeSchema.safeParse(entry);
        // A newer broker may say more.
        if (!success) continue;
        this.#counts.notices++;
        if ("channel" in data) { for (const one of this.#ofChannel(data.channel)) one.noticed(data); }
        this.notices.publish(data);
      }
    } catch {
      // The connection is lost, or the broker has ended it.
    }
    lost();
  }
}

function codeOf(error: unknown): string {
  return error instanceof ZeromeshError ? error.code : "";
}
