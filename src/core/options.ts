/** What the value of an option has to be. */
export interface OptionKind {
  /** The rule, to end the sentence "NAME must be …". */
  readonly rule: string;
  /** Whether a value has the right type. */
  fits(value: unknown): boolean;
  /** Whether a value of the right type lies in the range. @default {any does} */
  lies?(value: unknown): boolean;
}

/** A table of options: each name with its kind. */
export type OptionTable<Options extends object> = { readonly [Name in keyof Options]-?: OptionKind };

const kind = (rule: string, fits: (value: unknown) => boolean): OptionKind => ({ rule, fits });
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** The kinds of options. */
export const option = {
  /** Checked elsewhere. */
  unchecked: kind("anything", () => true),
  /** `true` or `false`. */
  flag: kind("true or false", (value) => typeof value === "boolean"),
  /** A text that is not empty. */
  text: kind("a string that is not empty", (value) => typeof value === "string" && value !== ""),
  /** A list of texts. */
  texts: kind(
    "an array of strings",
    (value) => Array.isArray(value) && value.length > 0 && value.every((text) => typeof text === "string"),
  ),
  /** An object of options, which is checked elsewhere. */
  object: kind("an object", (value) => isObject(value) && !Array.isArray(value)),
  /** A function. */
  function: kind("a function", (value) => typeof value === "function"),
  /** An `AbortSignal`. */
  signal: kind("an AbortSignal", (value) => value instanceof AbortSignal),
  /** Milliseconds, not negative. */
  duration: {
    rule: "a number of milliseconds, 0 or more",
    fits: (value) => typeof value === "number" && !Number.isNaN(value),
    lies: (value) => Number(value) >= 0,
  } as OptionKind,
  /** Milliseconds of something that is done again and again, so more than none and not for ever. */
  interval: {
    rule: "a number of milliseconds, 1 or more",
    fits: (value) => typeof value === "number" && !Number.isNaN(value),
    lies: (value) => Number(value) >= 1 && Number(value) < 2 ** 31,
  } as OptionKind,
  /** A whole number in a range. */
  whole: (low: number, high: number): OptionKind => ({
    rule: `an integer between ${low} and ${high}`,
    fits: (value) => Number.isInteger(value),
    lies: (value) => Number(value) >= low && Number(value) <= high,
  }),
  /** One of some texts. */
  oneOf: (...values: readonly string[]): OptionKind =>
    kind(
      values.map((value) => JSON.stringify(value)).join(" or "),
      (value) => values.includes(value as string),
    ),
  /** An object with some methods. */
  methods: (what: string, ...names: readonly string[]): OptionKind =>
    kind(
      `${what} with ${names.join(", ")}`,
      (value) => isObject(value) && names.every((name) => typeof Reflect.get(value, name) === "function"),
    ),
};

/**
 * Checks options by their table. `undefined` and `null` mean that an option is not given.
 *
 * @param options What the user gave, or nothing.
 * @param table Every option there is.
 * @param cannot What cannot be done, to begin an error with.
 * @returns A copy that has only what is given.
 * @throws {TypeError} If an option is not known, or has the wrong type.
 * @throws {RangeError} If it is out of its range.
 *
 * @example Usage
 * ```ts ignore
 * const { mesh = "default" } = readOptions(given, { mesh: option.text }, "Cannot make a directory");
 * ```
 */
export function readOptions<Options extends object>(
  options: Options | null | undefined,
  table: OptionTable<Options>,
  cannot: string,
): Options {
  if (options === undefined || options === null) return {} as Options;
  if (!isObject(options)) throw new TypeError(`${cannot}: options must be an object, got ${shown(options)}`);
  checkOptionNames(options, table, cannot);
  const given: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || value === null) continue;
    const { rule, fits, lies } = table[name as keyof Options];
    if (!fits(value)) throw new TypeError(`${cannot}: ${name} must be ${rule}, got ${shown(value)}`);
    if (lies !== undefined && !lies(value)) {
      throw new RangeError(`${cannot}: ${name} must be ${rule}, got ${shown(value)}`);
    }
    given[name] = value;
  }
  return given as Options;
}

/**
 * Checks that an object has no option that nobody knows.
 *
 * @param known An object with a property for each option there is.
 * @param cannot What cannot be done, to begin the error with.
 * @throws {TypeError} If there is one.
 */
export function checkOptionNames(
  options: object,
  known: object,
  cannot = "Cannot create a messenger",
): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw noOption(name, known, cannot);
  }
}

/** The error about an option that nobody knows. */
export function noOption(name: string, known: object, cannot: string): TypeError {
  const names = Object.keys(known).sort();
  const near = names.map((one) => ({ one, edits: distance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, edits }) => edits <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.edits - b.edits)[0];
  const hint = near === undefined ? "" : `, did you mean "${near.one}"?`;
  return new TypeError(`${cannot}: there is no option "${name}"${hint} (there are ${names.join(", ")})`);
}

/** How many letters are to be changed, added or left out to make one text of another (Levenshtein). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + same));
    }
    row = next;
  }
  return row[to.length]!;
}

/** A value as an error shows it, without its content where it may be large or secret. */
function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "an array" : "an object";
  return typeof value === "function" ? "a function" : String(value);
}
