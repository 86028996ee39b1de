import { errorText } from "./errors.ts";
import { type LogFields, type Logger, silentLogger } from "./logger.ts";

/** User code that the library calls besides handlers and schemas. */
export type Hook = "allow" | "authorize" | "limits" | "logger" | "meter" | "onError" | "tracing";

/** Failures of each hook. */
export type Faults = Readonly<Record<Hook, number>>;

const none: Faults = { allow: 0, authorize: 0, limits: 0, logger: 0, meter: 0, onError: 0, tracing: 0 };

export const hooks = Object.keys(none) as readonly Hook[];

/**
 * Calls the user's hooks. They may throw, hang, or return anything, and this affects no other message. A failure is
 * counted and logged.
 */
export class Guard {
  /** Logger. It never throws: a given logger that does is not used again. */
  readonly logger: Logger;
  readonly #faults: Record<Hook, number> = { ...none };
  readonly #last: Partial<Record<Hook, string>> = {};

  /** @param logger The user's logger. */
  constructor(logger: Logger = silentLogger) {
    this.logger = guardLogger(logger, (error) => this.failed("logger", error));
  }

  /** Failures of each hook. */
  faults(): Faults {
    return { ...this.#faults };
  }

  /** Calls a hook. Returns undefined when it throws; a rejected promise counts as a failure too. */
  run<T>(hook: Hook, call: () => T): T | undefined {
    try {
      const result = call();
      if (isThenable(result)) Promise.resolve(result).then(undefined, (error) => this.failed(hook, error));
      return result;
    } catch (error) {
      this.failed(hook, error);
      return undefined;
    }
  }

  /** Counts a failure. Repeated ones are logged the 1st, 2nd, 4th, 8th time and so on. */
  failed(hook: Hook, error: unknown): void {
    const times = ++this.#faults[hook];
    const text = errorText(error);
    if (text === this.#last[hook] && (times & (times - 1)) !== 0) return;
    this.#last[hook] = text;
    this.logger.error(`${hook} failed`, { error: text, times });
  }
}

/** Whether a value is a promise, or can be awaited like one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null &&
    typeof (value as { then?: unknown }).then === "function";
}

/** The thrown value, or an error in place of one that cannot be inspected (a revoked Proxy). */
export function readable(thrown: unknown): unknown {
  try {
    void (thrown instanceof Error);
    return thrown;
  } catch {
    return new Error(errorText(thrown));
  }
}

/** A logger that never throws: after its first failure the given one is not used again. */
export function guardLogger(
  given: Logger | null | undefined,
  failed: (error: unknown) => void = () => {},
): Logger {
  const logger = given ?? silentLogger;
  if (logger === silentLogger) return logger;
  let broken = false;
  const fail = (error: unknown): void => {
    if (broken) return;
    broken = true;
    failed(error);
  };
  const guarded = (level: keyof Logger) => (message: string, fields?: LogFields): void => {
    if (broken) return;
    try {
      const result: unknown = fields === undefined ? logger[level](message) : logger[level](message, fields);
      if (isThenable(result)) Promise.resolve(result).then(undefined, fail);
    } catch (error) {
      fail(error);
    }
  };
  return Object.freeze({
    debug: guarded("debug"),
    info: guarded("info"),
    warn: guarded("warn"),
    error: guarded("error"),
  });
}
