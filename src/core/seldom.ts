import type { Clock } from "./clock.ts";
import type { LogFields, Logger } from "./logger.ts";

const pauseMs = 10_000;
const maxKinds = 64;

/**
 * Logs what others may cause as often as they like: the first of each kind at once, those after it once in ten seconds
 * and with how many there were meanwhile (`others`).
 */
export class SeldomLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #message: string;
  readonly #told = new Map<string, { at: number; more: number }>();

  /** @param message What every line says. */
  constructor(logger: Logger, clock: Clock, message: string) {
    this.#logger = logger;
    this.#clock = clock;
    this.#message = message;
  }

  /** It happened again. @param kind What counts as the same, where the fields differ. */
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
