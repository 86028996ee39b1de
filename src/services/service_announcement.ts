import { Backoff, errorText, type InstanceId, type Reporting, retry } from "../core/mod.ts";
import type { Registration, ServiceDiscovery } from "../discovery/mod.ts";

/** The parts of a {@link ServiceAnnouncement}. */
export interface ServiceAnnouncementParts extends Reporting {
  /** The back ends for services. */
  readonly sources: readonly ServiceDiscovery[];
  /** The names of the services. */
  readonly services: readonly string[];
}

/** One entry: a service at a back end. */
interface Offer {
  readonly source: ServiceDiscovery;
  readonly service: string;
}

const longestPauseMs = 5_000;

/**
 * Announces the services of an instance to its back ends, once. Failed entries are retried until they succeed or are
 * withdrawn.
 */
export class ServiceAnnouncement {
  readonly #parts: ServiceAnnouncementParts;
  readonly #registrations: Registration[] = [];
  readonly #withdrawal = new AbortController();
  #missing: Offer[];
  #attempt: Promise<void> | null = null;
  #begun = false;

  constructor(parts: ServiceAnnouncementParts) {
    this.#parts = parts;
    this.#missing = parts.sources.flatMap((source) => parts.services.map((service) => ({ source, service })));
  }

  /** The services whose announcement has begun. */
  get announced(): readonly string[] {
    return this.#begun && !this.#withdrawal.signal.aborted ? this.#parts.services : [];
  }

  /**
   * Resolves when every back end has the entries. Callers share one attempt.
   *
   * @throws The error of the first back end that failed; its entry is retried nevertheless.
   */
  announce(id: InstanceId): Promise<void> {
    const attempt = this.#announce(id);
    if (!this.#begun) {
      this.#begun = true;
      const { clock } = this.#parts;
      const { signal } = this.#withdrawal;
      const backoff = new Backoff({ maxMs: longestPauseMs });
      void retry(() => this.#announce(id), { clock, backoff, signal }).catch(() => {});
    }
    return attempt;
  }

  /** Withdraws the entries and ends all attempts. */
  async withdraw(): Promise<void> {
    this.#withdrawal.abort();
    await this.#attempt?.catch(() => {});
    await Promise.all(this.#registrations.splice(0).map((registration) => registration.unregister()));
  }

  #announce(id: InstanceId): Promise<void> {
    if (this.#withdrawal.signal.aborted || this.#missing.length === 0) return Promise.resolve();
    return this.#attempt ??= this.#try(id).finally(() => this.#attempt = null);
  }

  async #try(id: InstanceId): Promise<void> {
    const failures: { readonly offer: Offer; readonly error: unknown }[] = [];
    await Promise.all(this.#missing.map(async (offer) => {
      try {
        this.#registrations.push(await offer.source.registerService(offer.service, id));
      } catch (error) {
        failures.push({ offer, error });
      }
    }));
    this.#missing = failures.map(({ offer }) => offer);
    const [first] = failures;
    if (first === undefined) return;
    this.#parts.logger.warn("cannot announce a service", {
      service: first.offer.service,
      failed: failures.length,
      reason: errorText(first.error),
    });
    throw first.error;
  }
}
