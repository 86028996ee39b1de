import type { NatsConnection } from "@nats-io/transport-node";
import { errorText, hold, type Reporting, ZeromeshError } from "../core/mod.ts";
import { connectToNats } from "./nats_client.ts";

/** Options of a {@link NatsLink}. */
export interface NatsLinkOptions extends Reporting {
  /** The servers. */
  readonly servers: readonly string[];
  /** Timeout of a lookup in milliseconds. */
  readonly timeoutMs: number;
  /** User and password, or a token. */
  readonly auth: { username: string; password: string } | { token: string } | undefined;
  /** Certificates as PEM text. */
  readonly tls: { ca?: string | undefined; cert?: string | undefined; key?: string | undefined } | undefined;
}

// An unused connection is kept this long for the next lookup.
const idleMs = 1_000;

/** The package's longest timer: with a longer time, `Infinity` included, it fires at once. */
export const longestTimerMs = 2 ** 31 - 1;

/**
 * A connection to NATS, shared by all uses and closed after the last one. It reconnects by itself, with subscriptions.
 */
export class NatsLink {
  /** Number of lost connections. */
  outages = 0;
  readonly #options: NatsLinkOptions;
  readonly #watchers = new Map<NatsLinkWatcher, NatsConnection>();
  #connection: Promise<NatsConnection> | null = null;
  #users = 0;
  #cancelIdle = (): void => {};

  constructor(options: NatsLinkOptions) {
    this.#options = options;
  }

  /** Open uses. */
  get users(): number {
    return this.#users;
  }

  /** Keeps the connection until the result is disposed; the last use closes it at once. */
  use(): AsyncDisposable {
    const end = this.#begin();
    return {
      [Symbol.asyncDispose]: async () => {
        if (end()) await this.#close();
      },
    };
  }

  /** The same for one lookup: after the last one the connection is kept for a moment. */
  useBriefly(): Disposable {
    const end = this.#begin();
    return {
      [Symbol.dispose]: () => {
        if (end()) this.#cancelIdle = this.#options.clock.after(idleMs, () => void this.#close());
      },
    };
  }

  /** The open connection. @throws {Error} The package's error, if no server accepts the client. */
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

  /** Calls back when this connection is lost, restored, or ended. */
  watch(connection: NatsConnection, watcher: NatsLinkWatcher): Disposable {
    this.#watchers.set(watcher, connection);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  /** Whether the server confirms all that was sent, within half the timeout of a lookup. */
  flushed(connection: NatsConnection): Promise<boolean> {
    const { clock, timeoutMs } = this.#options;
    return hold(connection.flush(), { clock, timeoutMs: timeoutMs / 2 }).then(() => true, () => false);
  }

  /** Converts an error of the package. */
  unreachable(error: unknown): ZeromeshError {
    if (error instanceof ZeromeshError) return error;
    const servers = this.#options.servers.join(" or ");
    const refused = /authori[sz]ation|permissions violation|authentication/i
      .test(errorText(error));
    return new ZeromeshError(
      refused ? "FORBIDDEN" : "PEER_UNREACHABLE",
      refused
        ? `NATS at ${servers} refuses this user: ${errorText(error)}; check the option auth`
        : `NATS does not serve at ${servers}: ${errorText(error)}${this.#hint(error)}`,
      { cause: error, peer: this.#options.servers.join(",") },
    );
  }

  /** @returns A function that ends the use, once, and returns whether it was the last one. */
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

  /** With TLS 1.3 a client gets no error for a refused certificate. */
  #hint(error: unknown): string {
    const silent = this.#options.tls !== undefined && /timeout/i.test(errorText(error));
    return silent ? "; maybe it refuses the client's certificate (tls.cert)" : "";
  }
}

/** Receives changes of a {@link NatsLink}'s connection. */
export interface NatsLinkWatcher {
  /** The connection was lost; the package reconnects. */
  lost(): void;
  /** The connection is restored, with its subscriptions. */
  back(): void;
  /** The connection has ended. */
  ended(): void;
}

function withoutUndefined(tls: Record<string, string | undefined>): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries(tls)) if (value !== undefined) given[name] = value;
  return given;
}
