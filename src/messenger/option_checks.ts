export { checkOptionNames } from "../core/mod.ts";

// Longer than any program runs, and not exact any more.
const endlessMs = 2 ** 53;

/**
 * Checks a duration of a call: any number but NaN. What is not above zero is over at once, and what is above 2^53 never
 * ends, as `Infinity`.
 */
export function checkTimeout(name: string, value: unknown): number {
  if (typeof value !== "number" || Number.isNaN(value)) {
    throw new TypeError(`Cannot use ${String(value)} as ${name}: it must be a number of milliseconds`);
  }
  return value > endlessMs ? Infinity : value;
}

/** Checks a duration of a messenger's options: zero or more, and `Infinity` for no end. */
export function duration(name: string, value: unknown, cannot = "Cannot create a messenger"): number {
  const ms = checkTimeout(name, value);
  if (ms < 0) throw new RangeError(`${cannot}: ${name} must not be negative, got ${ms}`);
  return ms;
}

/** Checks a whole number of a messenger's options. */
export function inRange(
  name: string,
  value: unknown,
  low: number,
  high: number,
  cannot = "Cannot create a messenger",
): number {
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new TypeError(`${cannot}: ${name} must be an integer, got ${String(value)}`);
  }
  if (value < low || value > high) {
    throw new RangeError(
      `${cannot}: ${name} must be between ${low} and ${high}, got ${value}`,
    );
  }
  return value;
}

/** Checks an option that is a list of texts. */
export function texts(name: string, value: unknown): string[] {
  if (Array.isArray(value) && value.every((text) => typeof text === "string")) return [...value];
  throw new TypeError(
    `Cannot create a messenger: ${name} must be an array of strings, got ${
      JSON.stringify(value) ?? String(value)
    }`,
  );
}

/** Checks an option that is one text or a list of them. */
export function textOrTexts(name: string, value: unknown): string[] {
  return typeof value === "string" ? [value] : texts(`${name}, if it is no string,`, value);
}
