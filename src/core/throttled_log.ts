import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";

const pauseMs = 10_000;
const maxKinds = 64;

/**
 * Logs events whose frequency peers control: the first of each kind at once, later ones once in ten seconds with their
 * number (`others`).
 */
export class ThrottledLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #message: string;
  readonly #told = new Map<string, { at: number; more: number }>();

  /** @param message The message of each line. */
  constructor(logger: Logger, clock: Clock, message: string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#message = message;
  }

  /** Logs an event. @param kind Key of the events that count as the same although their fields differ. */
  warn(kind: string, fields: LogFields): void {
    const now = this.#clock.now();
    const last = this.#told.get(kind);
    if (last !== undefined && now - last.at < pauseMs) return void last.more++;
    if (this.#told.size >= maxKinds) this.#told.clear();
    this.#told.set(kind, { at: now, more: 0 });
    const others = last === undefined || last.more === 0 ? {} : { others: last.more };
    this.#logger.warn(this.#message, { ...fields, ...others });
  }
}
