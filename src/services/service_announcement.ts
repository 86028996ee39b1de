import { Backoff, type Clock, errorText, type InstanceId, type Logger } from "../core/mod.ts";
import type { Registration, ServiceDiscovery } from "../discovery/mod.ts";

/** What a {@link ServiceAnnouncement} works with. */
export interface ServiceAnnouncementParts {
  /** The back ends that know services. */
  readonly sources: readonly ServiceDiscovery[];
  /** The names of the services. */
  readonly services: readonly string[];
  /** Clock. */
  readonly clock: Clock;
  /** Logger. */
  readonly logger: Logger;
}

/** One entry that is to be made. */
interface Offer {
  readonly source: ServiceDiscovery;
  readonly service: string;
}

const longestPauseMs = 5_000;

/**
 * Announces the services of an instance to its back ends, once, when it is ready for calls. A back end that fails is
 * tried again until it has the entries or they are withdrawn.
 */
export class ServiceAnnouncement {
  readonly #parts: ServiceAnnouncementParts;
  readonly #backoff = new Backoff({ maxMs: longestPauseMs });
  readonly #registrations: Registration[] = [];
  #missing: Offer[];
  #attempt: Promise<void> | null = null;
  #begun = false;
  #withdrawn = false;
  #cancelPause = (): void => {};

  /** @param parts What it works with. */
  constructor(parts: ServiceAnnouncementParts) {
    this.#parts = parts;
    this.#missing = parts.sources.flatMap((source) => parts.services.map((service) => ({ source, service })));
  }

  /** The services that have been announced, or that are being announced. */
  get announced(): readonly string[] {
    return this.#begun && !this.#withdrawn ? this.#parts.services : [];
  }

  /**
   * Resolves when every back end has the entries. Callers share one attempt.
   *
   * @throws What the first back end that failed said. It is tried again all the same.
   */
  announce(id: InstanceId): Promise<void> {
    this.#begun = true;
    if (this.#withdrawn || this.#missing.length === 0) return Promise.resolve();
    this.#cancelPause();
    this.#attempt ??= this.#try(id).finally(() => this.#attempt = null);
    return this.#attempt;
  }

  /** Takes the entries back. No attempt is made any more. */
  async withdraw(): Promise<void> {
    this.#withdrawn = true;
    this.#cancelPause();
    await this.#attempt?.catch(() => {});
    await Promise.all(this.#registrations.splice(0).map((registration) => registration.unregister()));
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
    const { clock, logger } = this.#parts;
    logger.warn("cannot announce a service", {
      service: first.offer.service,
      failed: failures.length,
      reason: errorText(first.error),
    });
    if (!this.#withdrawn) {
      this.#cancelPause = clock.after(this.#backoff.next(), () => void this.announce(id).catch(() => {}));
    }
    throw first.error;
  }
}
