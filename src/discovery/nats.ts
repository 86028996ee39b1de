/**
 * Discovery of peers through NATS, in Velo's subjects and encoding: each instance answers for itself.
 *
 * It needs the package `@nats-io/transport-node` (an optional dependency). NATS knows no services here; give a
 * second back end for them: `discovery: [new NatsDiscovery(…), new EtcdDiscovery(…)]`. On Deno it needs
 * `--allow-net` for the servers.
 *
 * @example Usage
 * ```ts ignore
 * import { Messenger } from "zeromesh";
 * import { NatsDiscovery } from "zeromesh/discovery/nats";
 *
 * const discovery = new NatsDiscovery({ servers: ["nats://10.0.0.5:4222"], cluster: "shop" });
 * await using messenger = await Messenger.create({ discovery });
 * await messenger.unary("ping", { to: instanceIdOfSomebody });
 * ```
 *
 * @module
 */
import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import {
  type Clock,
  errorText,
  guardLogger,
  type InstanceId,
  instanceIdToBytes,
  type Logger,
  systemClock,
  type WorkerId,
  workerIdOf,
  ZeromeshError,
} from "../core/mod.ts";
import { decodePeerInfo, encodePeerInfo, type PeerInfo } from "../messenger/mod.ts";
import { base58 } from "./base58.ts";
import type { LookupOptions, PeerDiscovery, Registration } from "./discovery.ts";
import { connectToNats } from "./nats_client.ts";
import { checkServiceName, registration } from "./registration.ts";

/** What a {@link NatsDiscovery} is given. */
export interface NatsDiscoveryOptions {
  /** The servers. @default {["nats://127.0.0.1:4222"]} */
  servers?: readonly string[] | undefined;
  /** Instances with the same name here find each other; the first part of every subject. @default {"default"} */
  cluster?: string | undefined;
  /** How long a lookup may take, in milliseconds. @default {5_000} */
  timeoutMs?: number | undefined;
  /** User and password, or a token, where the servers ask for them. Refused ones are `FORBIDDEN`. */
  auth?: { username: string; password: string } | { token: string } | undefined;
  /**
   * Certificates as PEM text, where the servers want TLS: `ca` is who vouches for them, by default whom the runtime
   * trusts; `cert` and `key` are the client's, where they ask for one. Without this option TLS is used when the servers
   * demand it. A server that cannot be trusted, or that refuses the certificate, is `PEER_UNREACHABLE`.
   */
  tls?: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined;
  /** Where to log. @default {nowhere} */
  logger?: Logger | undefined;
  /** Where time comes from; for tests. */
  clock?: Clock | undefined;
}

/** Every default of {@link NatsDiscoveryOptions}. */
const natsDiscoveryDefaults = Object.freeze({
  servers: Object.freeze(["nats://127.0.0.1:4222"]),
  cluster: "default",
  timeoutMs: 5_000,
});

// A connection that nobody uses is kept for the next lookup a moment longer.
const idleMs = 1_000;
const empty = new Uint8Array(new ArrayBuffer(0));

/**
 * Instances find each other by asking; each one answers for itself, so what answers lives.
 *
 * One connection is shared by everything that uses the object and closed when nothing does. It reconnects by
 * itself, with its subscriptions.
 */
export class NatsDiscovery implements PeerDiscovery {
  readonly #options: NatsDiscoveryOptions;
  readonly #servers: string[];
  readonly #subjects: string;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #connection: Promise<NatsConnection> | null = null;
  readonly #own = new Map<InstanceId, readonly Subscription[]>();
  #users = 0;
  #outages = 0;
  #cancelIdle = (): void => {};

  /**
   * Dials nothing yet: NATS is asked at first use.
   *
   * @param options Where NATS is; all options have defaults.
   * @throws {TypeError} If the cluster's name cannot be part of a subject.
   */
  constructor(options: NatsDiscoveryOptions = {}) {
    const d = natsDiscoveryDefaults;
    const cluster = checkServiceName(options.cluster ?? d.cluster, "a cluster");
    this.#options = options;
    this.#servers = [...options.servers ?? d.servers];
    this.#subjects = `${cluster}.velo.discover`;
    this.#timeoutMs = options.timeoutMs ?? d.timeoutMs;
    this.#clock = options.clock ?? systemClock;
    this.#logger = guardLogger(options.logger);
  }

  async discoverByInstanceId(id: InstanceId, options: LookupOptions = {}): Promise<PeerInfo | null> {
    const info = await this.#ask(
      `${this.#subjects}.instance.${base58(instanceIdToBytes(id))}`,
      options.signal,
    );
    return info?.instanceId === id ? info : null;
  }

  async discoverByWorkerId(id: WorkerId, options: LookupOptions = {}): Promise<PeerInfo | null> {
    const info = await this.#ask(`${this.#subjects}.worker.${id}`, options.signal);
    return info !== null && workerIdOf(info.instanceId) === id ? info : null;
  }

  async registerPeer(info: PeerInfo): Promise<Registration> {
    const use = this.use();
    const reply = encodePeerInfo(info);
    const subscriptions: Subscription[] = [];
    let connection: NatsConnection;
    try {
      connection = await this.#connect();
      const subjects = [
        `${this.#subjects}.instance.${base58(instanceIdToBytes(info.instanceId))}`,
        `${this.#subjects}.worker.${workerIdOf(info.instanceId)}`,
      ];
      for (const subject of subjects) {
        subscriptions.push(connection.subscribe(subject, {
          callback: (error, message) => {
            if (error === null) message.respond(reply);
          },
        }));
      }
      // An earlier registration of this id answers no more.
      for (const subscription of this.#own.get(info.instanceId) ?? []) subscription.unsubscribe();
      this.#own.set(info.instanceId, subscriptions);
      // Whoever is told of this instance from now on finds it.
      await connection.flush();
    } catch (error) {
      if (this.#own.get(info.instanceId) === subscriptions) this.#own.delete(info.instanceId);
      for (const subscription of subscriptions) subscription.unsubscribe();
      await use[Symbol.asyncDispose]();
      throw this.#unreachable(error);
    }
    return registration(async () => {
      if (this.#own.get(info.instanceId) === subscriptions) this.#own.delete(info.instanceId);
      for (const subscription of subscriptions) subscription.unsubscribe();
      // Until the server has heard of it, it hands questions to nobody, and who asks waits in vain.
      if (this.#users > 1) await this.#flushed(connection);
      await use[Symbol.asyncDispose]();
    });
  }

  use(): AsyncDisposable {
    this.#users++;
    this.#cancelIdle();
    let used = true;
    return {
      [Symbol.asyncDispose]: async () => {
        if (!used) return;
        used = false;
        if (--this.#users === 0) await this.#close();
      },
    };
  }

  async #ask(subject: string, signal: AbortSignal | undefined): Promise<PeerInfo | null> {
    signal?.throwIfAborted();
    this.#users++;
    this.#cancelIdle();
    let connected = false;
    let heard = false;
    let outages = 0;
    let cancel = (): void => {};
    try {
      const connection = await this.#connect();
      connected = true;
      outages = this.#outages;
      // Silence can be that of the server: it is asked whether it is there before the time is up.
      cancel = this.#clock.after(this.#timeoutMs / 2, async () => heard = await this.#flushed(connection));
      const reply = await connection.request(subject, empty, { timeout: this.#timeoutMs });
      return decodePeerInfo(reply.data);
    } catch (error) {
      const what = error instanceof Error ? `${error.name} ${error.message}` : "";
      // Nobody listens on the subject, or whoever did is gone without a word.
      if (connected && /no responders/i.test(what)) return null;
      if (heard && outages === this.#outages && /timeout/i.test(what)) return null;
      throw this.#unreachable(error);
    } finally {
      cancel();
      if (--this.#users === 0) this.#cancelIdle = this.#clock.after(idleMs, () => void this.#close());
    }
  }

  #connect(): Promise<NatsConnection> {
    if (this.#connection !== null) return this.#connection;
    const connection = this.#open();
    this.#connection = connection;
    connection.then(
      (open) => void open.closed().then(() => this.#forget(connection)),
      () => this.#forget(connection),
    );
    return connection;
  }

  async #open(): Promise<NatsConnection> {
    const { auth, tls } = this.#options;
    const connection = await connectToNats({
      servers: this.#servers,
      name: "zeromesh",
      timeout: this.#timeoutMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      pingInterval: 2_000,
      maxPingOut: 2,
      ...(auth === undefined ? {} : "token" in auth ? auth : { user: auth.username, pass: auth.password }),
      ...(tls === undefined ? {} : { tls: withoutUndefined(tls) }),
    });
    void this.#report(connection);
    return connection;
  }

  async #report(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === "disconnect") this.#outages++;
      if (status.type === "disconnect" || status.type === "reconnect") {
        this.#logger.info(`nats: ${status.type}`, { servers: this.#servers.join(",") });
      }
    }
  }

  /** Whether the server takes what was sent, within half the time of a lookup. */
  #flushed(connection: NatsConnection): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#clock.after(this.#timeoutMs / 2, () => resolve(false));
      const end = (took: boolean): void => {
        cancel();
        resolve(took);
      };
      connection.flush().then(() => end(true), () => end(false));
    });
  }

  #forget(connection: Promise<NatsConnection>): void {
    if (this.#connection === connection) this.#connection = null;
  }

  async #close(): Promise<void> {
    this.#cancelIdle();
    const connection = this.#connection;
    this.#connection = null;
    try {
      await (await connection)?.close();
    } catch {
      // It was never open.
    }
  }

  /** With TLS 1.3 a refused certificate is silence to the client. */
  #hint(error: unknown): string {
    const silent = this.#options.tls !== undefined && /timeout/i.test(errorText(error));
    return silent ? "; maybe it refuses the client's certificate (tls.cert)" : "";
  }

  #unreachable(error: unknown): ZeromeshError {
    if (error instanceof ZeromeshError) return error;
    const servers = this.#servers.join(" or ");
    const refused = /authori[sz]ation|permissions violation|authentication/i
      .test(errorText(error));
    return new ZeromeshError(
      refused ? "FORBIDDEN" : "PEER_UNREACHABLE",
      refused
        ? `NATS at ${servers} refuses this user: ${errorText(error)}; look at the option auth`
        : `NATS does not serve at ${servers}: ${errorText(error)}${this.#hint(error)}`,
      { cause: error, peer: this.#servers.join(",") },
    );
  }
}

function withoutUndefined(tls: Record<string, string | undefined>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(tls)) if (value !== undefined) given[name] = value;
  return given;
}
