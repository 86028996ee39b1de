import { AsyncQueue, errorText, type InstanceId, type Logger } from "../../core/mod.ts";
import type { SystemPort } from "../../messenger/mod.ts";
import { anchorsAt } from "../../streams/mod.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import type { RegistryClient } from "../registry/registry_client.ts";

/** How long, in milliseconds, a client's anchor is tried to be reached. */
const attachMs = 5_000;

/** A client that has introduced itself, and the notices for it. */
export class Session {
  readonly client: RegistryClient;
  readonly #queue: AsyncQueue<BrokerNotice> | null;
  readonly #abort = new AbortController();

  /** @param handle The anchor that gets its notices; null for none. */
  constructor(
    client: RegistryClient,
    handle: string | null,
    port: SystemPort,
    limit: number,
    logger: Logger,
  ) {
    this.client = client;
    this.#queue = handle === null ? null : new AsyncQueue<BrokerNotice>({
      limit,
      overflow: "dropOldest",
      notice: (count) => ({ type: "dropped", count }),
    });
    if (handle === null) return;
    this.#run(handle, port).catch((error) => {
      this.end();
      logger.debug("A client gets no more notices", { client: client.instance, error: errorText(error) });
    });
  }

  /** Notices that wait. */
  get waiting(): number {
    return this.#queue?.size ?? 0;
  }

  /** Notices that were dropped because the client was too slow. */
  get dropped(): number {
    return this.#queue?.dropped ?? 0;
  }

  notice(notice: BrokerNotice): void {
    this.#queue?.push(notice);
  }

  /** Sends no more notices. */
  end(): void {
    this.#queue?.end();
    this.#abort.abort();
  }

  async #run(handle: string, port: SystemPort): Promise<void> {
    const { signal } = this.#abort;
    const sender = await anchorsAt(port).attach(handle, { timeoutMs: attachMs, signal });
    sender.cancelled.addEventListener("abort", () => this.#queue?.end());
    for await (const notice of this.#queue!) await sender.send(notice);
    await sender.finalize();
  }
}

/** The clients of a broker, by their instances. */
export class Sessions {
  readonly #all = new Map<InstanceId, Session>();

  get size(): number {
    return this.#all.size;
  }

  /** The notices that were dropped, and those that wait, of all. */
  notices(): { readonly waiting: number; readonly dropped: number } {
    let waiting = 0;
    let dropped = 0;
    for (const session of this.#all.values()) {
      waiting += session.waiting;
      dropped += session.dropped;
    }
    return { waiting, dropped };
  }

  of(instance: InstanceId): Session | undefined {
    return this.#all.get(instance);
  }

  /** Puts a session in the place of the one of the same instance. */
  set(instance: InstanceId, session: Session): void {
    this.#all.get(instance)?.end();
    this.#all.set(instance, session);
  }

  /** Ends the session of an instance. */
  end(instance: InstanceId): void {
    this.#all.get(instance)?.end();
    this.#all.delete(instance);
  }

  /** Ends all. */
  close(): void {
    for (const session of this.#all.values()) session.end();
    this.#all.clear();
  }
}
