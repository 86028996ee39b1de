/** Structured facts beside a log line. */
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Where the library writes what happens: `console` fits. Called `(message, fields)`, never per message on
 * the hot path.
 */
export interface Logger {
  /** Details for someone who is looking for something. */
  debug(message: string, fields?: LogFields): void;
  /** What an operator may want to know. */
  info(message: string, fields?: LogFields): void;
  /** Something went wrong and was dealt with. */
  warn(message: string, fields?: LogFields): void;
  /** Something went wrong and a person should look. */
  error(message: string, fields?: LogFields): void;
}

/** The default: says nothing. */
export const silentLogger: Logger = Object.freeze({
  debug() {},
  info() {},
  warn() {},
  error() {},
});
