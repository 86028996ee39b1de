import { Backoff, type CancelTimer, errorText, type Reporting, retry } from "../core/mod.ts";
import type { EtcdGateway } from "./etcd_gateway.ts";
import { toBase64 } from "./etcd_keys.ts";

/** Options of an {@link EtcdLease}. */
export interface EtcdLeaseOptions extends Reporting {
  readonly gateway: EtcdGateway;
  /** How long entries outlive their process, in milliseconds. */
  readonly ttlMs: number;
}

/**
 * Keys bound to one lease, which this process renews at a third of its time. When the lease is lost because the process
 * or the server stood still for too long, all keys are written again under a new one.
 */
export class EtcdLease {
  readonly #options: EtcdLeaseOptions;
  readonly #entries = new Map<string, string>();
  #id: Promise<string> | null = null;
  #cancel: CancelTimer | null = null;
  #renewing = false;
  #renewal: Promise<void> | null = null;
  #stale = false;

  constructor(options: EtcdLeaseOptions) {
    this.#options = options;
  }

  /** Writes a key. */
  async put(key: string, value: string): Promise<void> {
    this.#entries.set(key, value);
    try {
      const lease = await this.#lease();
      await this.#write(key, value, lease).catch(async (error) => {
        // The lease ended while this process or the server stood still.
        if (!/lease not found/.test(errorText(error))) throw error;
        await this.#renew();
        // A renewal under way may have begun before this key existed.
        await this.#write(key, value, await this.#lease());
      });
    } catch (error) {
      this.#entries.delete(key);
      await this.#releaseIfIdle();
      throw error;
    }
    this.#schedule(this.#options.ttlMs / 3);
  }

  /** Removes a key; the last one ends the lease. */
  async remove(key: string): Promise<void> {
    this.#entries.delete(key);
    // A renewal under way may be writing this key.
    await this.#renewal?.catch(() => {});
    const idle = this.#releaseIfIdle();
    if (this.#entries.size > 0) {
      await this.#options.gateway.call("/v3/kv/deleterange", { key: toBase64(key) });
    }
    await idle;
  }

  #lease(): Promise<string> {
    if (this.#id !== null) return this.#id;
    const { gateway, ttlMs } = this.#options;
    const id = gateway.call("/v3/lease/grant", { TTL: String(Math.max(1, Math.ceil(ttlMs / 1000))) })
      .then((answer) => String(answer["ID"]));
    this.#id = id;
    id.catch(() => {
      if (this.#id === id) this.#id = null;
    });
    return id;
  }

  #write(key: string, value: string, lease: string): Promise<unknown> {
    return this.#options.gateway.call("/v3/kv/put", { key: toBase64(key), value: toBase64(value), lease });
  }

  #schedule(ms: number): void {
    if (this.#cancel !== null || this.#renewing || this.#entries.size === 0) return;
    this.#cancel = this.#options.clock.after(ms, () => {
      this.#cancel = null;
      void this.#renewForSure();
    });
  }

  /** Renews the lease, and retries while etcd does not answer. */
  async #renewForSure(): Promise<void> {
    const { clock, logger, ttlMs } = this.#options;
    const backoff = new Backoff({ firstMs: 50, maxMs: Math.min(2_000, ttlMs / 3) });
    this.#renewing = true;
    await retry(async () => {
      if (this.#entries.size > 0) await this.#renew();
    }, {
      clock,
      backoff,
      failed: (error) => logger.warn("cannot renew the lease in etcd", { reason: errorText(error) }),
    });
    this.#renewing = false;
    this.#schedule(ttlMs / 3);
  }

  /** One renewal at a time: two that find the lease lost would each make one, and one of these would end unrenewed. */
  #renew(): Promise<void> {
    return this.#renewal ??= this.#renewOnce().finally(() => this.#renewal = null);
  }

  async #renewOnce(): Promise<void> {
    const lease = await this.#lease();
    const answer = await this.#options.gateway.call("/v3/lease/keepalive", { ID: lease });
    const result = answer["result"] as { TTL?: unknown } | undefined;
    if (!(Number(result?.TTL ?? 0) > 0)) {
      this.#options.logger.warn("the lease in etcd was lost; registering anew", { lease });
      this.#id = null;
      this.#stale = true;
    }
    if (!this.#stale) return;
    const renewed = await this.#lease();
    for (const [key, value] of [...this.#entries]) {
      if (this.#entries.get(key) === value) await this.#write(key, value, renewed);
    }
    // Cleared last: after a failed write the next attempt must write all keys, although the new lease is alive.
    this.#stale = false;
  }

  async #releaseIfIdle(): Promise<void> {
    if (this.#entries.size > 0) return;
    this.#cancel?.();
    this.#cancel = null;
    const id = this.#id;
    this.#id = null;
    if (id === null) return;
    this.#stale = false;
    // Revoking removes all its keys at once; an expired lease has removed them already.
    try {
      await this.#options.gateway.call("/v3/lease/revoke", { ID: await id });
    } catch (error) {
      if (!/lease not found/.test(errorText(error))) throw error;
    }
  }
}
