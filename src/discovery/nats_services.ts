import type { NatsConnection, Subscription } from "@nats-io/transport-node";
import { Backoff, type InstanceId, isInstanceId, retry, type Timed } from "../core/mod.ts";
import type { Registration, ServiceEvent, WatchOptions } from "./discovery.ts";
import type { NatsLink } from "./nats_link.ts";
import { LiveInstances } from "./live_instances.ts";
import { checkServiceName, registration } from "./registration.ts";
import { ServiceWatch } from "./service_watch.ts";

/** The parts of {@link NatsServices}. */
export interface NatsServicesParts extends Timed {
  /** The connection. */
  readonly link: NatsLink;
  /** The first part of every subject. */
  readonly cluster: string;
  /** Timeout of a query in milliseconds. */
  readonly timeoutMs: number;
  /** How long a silent instance counts as live, in milliseconds. */
  readonly ttlMs: number;
}

/** A service that an instance of this process offers. */
interface Offer {
  readonly service: string;
  readonly id: InstanceId;
  readonly subscriptions: Subscription[];
}

// A query ends when no answer comes for this time after the last one. A watch also gets later answers, so it need not
// wait for them.
const quietMs = 100;
const quietForWatchMs = 20;
const askAgainMs = 500;
const empty = new Uint8Array(new ArrayBuffer(0));

/**
 * Services through NATS. NATS stores nothing, so instances that offer a service answer queries for it, and announce it
 * at the beginning, every third of `ttlMs`, and at the end.
 *
 * - `CLUSTER.zeromesh.service.NAME`: announcements, `+ID TTL` or `-ID`; a dot of the name is written `%2E`
 * - `CLUSTER.zeromesh.offers.NAME`: query for instances; each answers `+ID TTL`
 * - `CLUSTER.zeromesh.services`: query for services; each instance answers with their names
 */
export class NatsServices {
  readonly #parts: NatsServicesParts;
  readonly #root: string;
  readonly #offers = new Set<Offer>();
  #cancelBeat: (() => void) | null = null;
  #watching: Disposable | null = null;

  constructor(parts: NatsServicesParts) {
    this.#parts = parts;
    this.#root = `${parts.cluster}.zeromesh`;
  }

  /** Offers a service until the registration is removed. */
  async register(service: string, id: InstanceId): Promise<Registration> {
    checkServiceName(service);
    const { link, ttlMs } = this.#parts;
    const use = link.use();
    const offer: Offer = { service, id, subscriptions: [] };
    let connection: NatsConnection;
    try {
      connection = await link.connect();
      const answer = (subject: string, text: string): void => {
        offer.subscriptions.push(connection.subscribe(subject, {
          callback: (error, message) => {
            if (error === null) message.respond(text);
          },
        }));
      };
      answer(`${this.#root}.offers.${token(service)}`, `+${id} ${ttlMs}`);
      answer(`${this.#root}.services`, service);
      this.#offers.add(offer);
      connection.publish(this.#changes(service), `+${id} ${ttlMs}`);
      // Queries from now on find this instance.
      await connection.flush();
    } catch (error) {
      this.#end(offer);
      await use[Symbol.asyncDispose]();
      throw link.unreachable(error);
    }
    this.#watching ??= link.watch(connection, { lost() {}, back: () => void this.#beat(), ended() {} });
    this.#beatLater();
    return registration(async () => {
      this.#end(offer);
      const again = [...this.#offers].some((other) => other.service === service && other.id === id);
      if (!again && !connection.isClosed()) {
        connection.publish(this.#changes(service), `-${id}`);
        await link.flushed(connection);
      }
      await use[Symbol.asyncDispose]();
    });
  }

  /** The instances that answer for a service. */
  async instances(service: string): Promise<InstanceId[]> {
    const answers = await this.#ask(`${this.#root}.offers.${token(checkServiceName(service))}`, quietMs);
    return [...new Set(answers.map((text) => parse(text)?.id).filter((id) => id !== undefined))];
  }

  /** The services that at least one instance answers for. */
  async list(): Promise<string[]> {
    return [...new Set(await this.#ask(`${this.#root}.services`, quietMs))].sort();
  }

  /** Watches the instances of a service. */
  watch(
    service: string,
    options: WatchOptions | undefined,
  ): ServiceWatch & AsyncIterableIterator<ServiceEvent> {
    checkServiceName(service);
    return ServiceWatch.following(options, (watch, ended) => this.#follow(service, watch, ended));
  }

  async #follow(service: string, watch: ServiceWatch, ended: Promise<void>): Promise<void> {
    const { link, clock } = this.#parts;
    const use = link.use();
    try {
      const connection = await link.connect();
      using instances = new LiveInstances(clock, watch);
      const subscription = connection.subscribe(this.#changes(service), {
        callback: (error, message) => {
          const said = error === null ? parse(message.string()) : null;
          if (said !== null) instances.announced(said.id, said.ttlMs);
        },
      });
      const ask = () =>
        this.#ask(`${this.#root}.offers.${token(service)}`, quietForWatchMs, (text) => {
          const said = parse(text);
          if (said !== null) instances.announced(said.id, said.ttlMs);
        });
      // Announcements during the outage are lost.
      const askAgain = async (): Promise<void> => {
        const { outages } = link;
        const wanted = (): boolean => !watch.ended && outages === link.outages;
        await retry(async () => {
          if (!wanted()) return;
          await ask();
          instances.resume();
        }, {
          clock,
          backoff: new Backoff({ firstMs: askAgainMs, maxMs: askAgainMs }),
          failed: (error) => instances.pause(error),
        });
      };
      using _link = link.watch(connection, {
        lost: () => instances.pause(link.unreachable(new Error("the connection is lost"))),
        back: () => void askAgain(),
        ended: () => watch.fail(link.unreachable(new Error("the connection has ended"))),
      });
      try {
        await ask();
        instances.resume();
        await ended;
      } finally {
        subscription.unsubscribe();
      }
    } catch (error) {
      throw link.unreachable(error);
    } finally {
      await use[Symbol.asyncDispose]();
    }
  }

  /**
   * Publishes a query, and collects the answers until they end.
   *
   * @throws {ZeromeshError} `PEER_UNREACHABLE` if the server does not respond either.
   */
  async #ask(subject: string, quietMs: number, onAnswer?: (text: string) => void): Promise<string[]> {
    const { link, clock, timeoutMs } = this.#parts;
    using _use = link.useBriefly();
    const answers: string[] = [];
    try {
      const connection = await link.connect();
      const over = Promise.withResolvers<boolean>();
      const inbox = `_INBOX.${crypto.randomUUID()}`;
      let cancelQuiet = clock.after(timeoutMs / 2, () => over.resolve(false));
      const cancelLate = clock.after(timeoutMs, () => over.resolve(true));
      const subscription = connection.subscribe(inbox, {
        callback: (error, message) => {
          // The server's status for a subject without subscribers.
          if (error !== null || message.headers?.code === 503) return over.resolve(true);
          answers.push(message.string());
          onAnswer?.(message.string());
          cancelQuiet();
          cancelQuiet = clock.after(quietMs, () => over.resolve(true));
        },
      });
      try {
        connection.publish(subject, empty, { reply: inbox });
        if (!await over.promise && !await link.flushed(connection)) throw new Error("it does not answer");
      } finally {
        cancelQuiet();
        cancelLate();
        subscription.unsubscribe();
      }
      return answers;
    } catch (error) {
      throw link.unreachable(error);
    }
  }

  #changes(service: string): string {
    return `${this.#root}.service.${token(service)}`;
  }

  #end(offer: Offer): void {
    for (const subscription of offer.subscriptions) subscription.unsubscribe();
    this.#offers.delete(offer);
    if (this.#offers.size > 0) return;
    this.#cancelBeat?.();
    this.#cancelBeat = null;
    this.#watching?.[Symbol.dispose]();
    this.#watching = null;
  }

  #beatLater(): void {
    const { clock, ttlMs } = this.#parts;
    if (this.#offers.size === 0) return;
    this.#cancelBeat ??= clock.after(ttlMs / 3, () => {
      this.#cancelBeat = null;
      void this.#beat();
      this.#beatLater();
    });
  }

  async #beat(): Promise<void> {
    try {
      const connection = await this.#parts.link.connect();
      for (const { service, id } of this.#offers) {
        connection.publish(this.#changes(service), `+${id} ${this.#parts.ttlMs}`);
      }
    } catch {
      // The next announcement may succeed.
    }
  }
}

/** Encodes a name as one token of a subject. */
function token(service: string): string {
  return service.replaceAll(".", "%2E");
}

/** Parses an announcement: with a time the instance offers the service that long, without one no longer. */
function parse(text: string): { readonly id: InstanceId; readonly ttlMs: number } | null {
  const [, sign, id = "", ttl = "0"] = /^([+-])([0-9a-f-]{36})(?: (\d{1,9}))?$/.exec(text) ?? [];
  if (sign === undefined || !isInstanceId(id)) return null;
  return { id, ttlMs: sign === "+" ? Number(ttl) : 0 };
}
