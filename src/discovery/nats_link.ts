import type { NatsConnection } from "@nats-io/transport-node";
import { type Clock, errorText, hold, type Logger, ZeromeshError } from "../core/mod.ts";
import { connectToNats } from "./nats_client.ts";

/** What a {@link NatsLink} is given. */
export interface NatsLinkOptions {
  /** The servers. */
  readonly servers: readonly string[];
  /** How long a lookup may take, in milliseconds. */
  readonly timeoutMs: number;
  /** User and password, or a token. */
  readonly auth: { username: string; password: string } | { token: string } | undefined;
  /** Certificates as PEM text. */
  readonly tls: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined;
  /** Clock. */
  readonly clock: Clock;
  /** Logger. */
  readonly logger: Logger;
}

// A connection that nobody uses is kept for the next lookup a moment longer.
const idleMs = 1_000;

/** The longest time that the package can wait: with a longer one, `Infinity` included, its timer fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/**
 * One connection to NATS, shared by everything that uses it and closed when nothing does. It reconnects by itself, with
 * its subscriptions.
 */
export class NatsLink {
  /** How often the connection was lost. */
  outages = 0;
  readonly #options: NatsLinkOptions;
  readonly #watchers = new Map<NatsLinkWatcher, NatsConnection>();
  #connection: Promise<NatsConnection> | null = null;
  #users = 0;
  #cancelIdle = (): void => {};

  /** Dials nothing yet. */
  constructor(options: NatsLinkOptions) {
    this.#options = options;
  }

  /** How many uses are open. */
  get users(): number {
    return this.#users;
  }

  /** Keeps the connection until it is disposed of; with the last use it is closed at once. */
  use(): AsyncDisposable {
    const end = this.#begin();
    return {
      [Symbol.asyncDispose]: async () => {
        if (end()) await this.#close();
      },
    };
  }

  /** The same for one question: after the last one the connection is kept for a moment. */
  useBriefly(): Disposable {
    const end = this.#begin();
    return {
      [Symbol.dispose]: () => {
        if (end()) this.#cancelIdle = this.#options.clock.after(idleMs, () => void this.#close());
      },
    };
  }

  /** The open connection. @throws {Error} The package's, if no server takes the client. */
  connect(): Promise<NatsConnection> {
    if (this.#connection !== null) return this.#connection;
    const connection = this.#open();
    this.#connection = connection;
    connection.then(
      (open) => void open.closed().then(() => this.#forget(connection)),
      () => this.#forget(connection),
    );
    return connection;
  }

  /** Calls back when this connection is lost, is there again, and has ended for good. */
  watch(connection: NatsConnection, watcher: NatsLinkWatcher): Disposable {
    this.#watchers.set(watcher, connection);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  /** Whether the server takes what was sent, within half the time of a lookup. */
  flushed(connection: NatsConnection): Promise<boolean> {
    const { clock, timeoutMs } = this.#options;
    return hold(connection.flush(), { clock, timeoutMs: timeoutMs / 2 }).then(() => true, () => false);
  }

  /** An error of the package as one of ours. */
  unreachable(error: unknown): ZeromeshError {
    if (error instanceof ZeromeshError) return error;
    const servers = this.#options.servers.join(" or ");
    const refused = /authori[sz]ation|permissions violation|authentication/i
      .test(errorText(error));
    return new ZeromeshError(
      refused ? "FORBIDDEN" : "PEER_UNREACHABLE",
      refused
        ? `NATS at ${servers} refuses this user: ${errorText(error)}; look at the option auth`
        : `NATS does not serve at ${servers}: ${errorText(error)}${this.#hint(error)}`,
      { cause: error, peer: this.#options.servers.join(",") },
    );
  }

  /** @returns A function that ends the use, once, and says whether it was the last one. */
  #begin(): () => boolean {
    this.#users++;
    this.#cancelIdle();
    let used = true;
    return () => {
      if (!used) return false;
      used = false;
      return --this.#users === 0;
    };
  }

  async #open(): Promise<NatsConnection> {
    const { auth, tls, servers, timeoutMs } = this.#options;
    const connection = await connectToNats({
      servers: [...servers],
      name: "zeromesh",
      timeout: Math.min(timeoutMs, longestTimerMs),
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
    for await (const { type } of connection.status()) {
      if (type !== "disconnect" && type !== "reconnect") continue;
      if (type === "disconnect") this.outages++;
      this.#options.logger.info(`nats: ${type}`, { servers: this.#options.servers.join(",") });
      for (const watcher of this.#watchersOf(connection)) {
        if (type === "disconnect") watcher.lost();
        else watcher.back();
      }
    }
    for (const watcher of this.#watchersOf(connection)) watcher.ended();
  }

  #watchersOf(connection: NatsConnection): NatsLinkWatcher[] {
    return [...this.#watchers].filter(([, watched]) => watched === connection).map(([watcher]) => watcher);
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
}

/** What happens to the connection of a {@link NatsLink}. */
export interface NatsLinkWatcher {
  /** The connection was lost; it is made again by itself. */
  lost(): void;
  /** The connection is there again, with its subscriptions. */
  back(): void;
  /** The connection has ended. */
  ended(): void;
}

function withoutUndefined(tls: Record<string, string | undefined>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(tls)) if (value !== undefined) given[name] = value;
  return given;
}
