import type { Timed } from "./clock.ts";

/** Structured facts beside a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Logger of the library; `console` fits. It is called `(message, fields)`, never per message on the hot path. */
export interface Logger {
  /** Details for debugging. */
  debug(message: string, fields?: LogFields): void;
  /** Events of interest to an operator. */
  info(message: string, fields?: LogFields): void;
  /** A problem that the library handled. */
  warn(message: string, fields?: LogFields): void;
  /** A problem that needs a person. */
  error(message: string, fields?: LogFields): void;
}

/** Parts of a component with a clock and a logger. */
export interface Reporting extends Timed {
  /** Logger. */
  readonly logger: Logger;
}

/** The default: no output. */
export const silentLogger: Logger = Object.freeze({
  debug() {},
  info() {},
  warn() {},
  error() {},
});
