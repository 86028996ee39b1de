import { describeValue, typeName } from "./describe_value.ts";
import { isInstanceId } from "./ids.ts";

/**
 * Type, range and default of an option.
 *
 * @typeParam Default The type of its default; `undefined` where it has none.
 */
export interface OptionKind<Default = undefined> {
  /** The rule, as the end of the sentence "NAME must be …". */
  readonly rule: string;
  /** Whether a value has the right type. */
  fits(value: unknown): boolean;
  /** Whether a value of the right type is in range; undefined without a range. */
  readonly inRange: ((value: unknown) => boolean) | undefined;
  /** Converts a valid value; undefined when it stays as it is. */
  readonly read: ((value: unknown) => unknown) | undefined;
  /** The table of nested options, for an object of options. */
  readonly table: Table | undefined;
  /** Whether `null` is an ordinary value. Otherwise it means that the option is not given. */
  readonly nullable: boolean;
  /** Whether a value may be a secret, which errors must not quote. */
  readonly secret: boolean;
  /** The default. */
  readonly fallback: Default;
  /** The same kind for an option with a default. */
  or<const Value>(fallback: Value): OptionKind<Value>;
}

/** A table of options: each name with its kind, and its default where it has one. */
export type OptionTable<Options extends object> = {
  readonly [Name in keyof Options]-?: OptionKind<Options[Name] | undefined>;
};

/** Options with the defaults of their table. */
export type Filled<Options extends object, Kinds extends OptionTable<Options>> = {
  readonly [Name in keyof Options]-?: undefined extends Kinds[Name]["fallback"] ? Options[Name]
    : NonNullable<Options[Name]>;
};

/** The optional parts of a kind. */
type Details = Partial<Omit<OptionKind, "rule" | "fits" | "fallback" | "or">>;

// One object shape for all kinds keeps reading fast.
function kind(rule: string, fits: (value: unknown) => boolean, details: Details = {}): OptionKind {
  const { inRange, read, table, nullable = false, secret = false } = details;
  return Object.freeze({ rule, fits, inRange, read, table, nullable, secret, fallback: undefined, or });
}

function or<Value>(this: OptionKind<unknown>, fallback: Value): OptionKind<Value> {
  return Object.freeze({ ...this, fallback });
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const isRecord = (value: unknown): boolean => isObject(value) && !Array.isArray(value);
const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((text) => typeof text === "string");
const isNumber = (value: unknown): boolean => typeof value === "number" && !Number.isNaN(value);
const hasMethods = (value: unknown, names: readonly string[]): boolean =>
  isObject(value) && names.every((name) => typeof Reflect.get(value, name) === "function");

// Longer than programs run, and not exact any more.
const endlessMs = 2 ** 53;
const endless = (value: unknown): unknown => (value as number) > endlessMs ? Infinity : value;

function methods(what: string, ...names: readonly string[]): OptionKind {
  return kind(`${what} with ${names.join(", ")}`, (value) => hasMethods(value, names));
}

/** The kinds of options. */
export const option = {
  /** A kind of its own. */
  kind,
  /** A value without a rule, or one that is checked where it is used; `null` included. */
  value: kind("a value", () => true, { nullable: true }),
  /** `true` or `false`. */
  flag: kind("true or false", (value) => typeof value === "boolean"),
  /** A text, which may be empty. */
  string: kind("a string", (value) => typeof value === "string"),
  /** A text that is not empty. */
  text: kind("a string that is not empty", (value) => typeof value === "string" && value !== ""),
  /** A text that errors must not quote. */
  secret: kind("a string that is not empty", (value) => typeof value === "string" && value !== "", {
    secret: true,
  }),
  /** A number. */
  number: kind("a number", isNumber),
  /** A list of texts, which may be empty. */
  texts: kind("an array of strings", isTexts),
  /** One text or a list of them. */
  textOrTexts: kind(
    "a string or an array of strings",
    (value) => typeof value === "string" || isTexts(value),
  ),
  /** An object with keys of the caller's choice. */
  object: kind("an object", isRecord),
  /** A function. */
  function: kind("a function", (value) => typeof value === "function"),
  /** An `AbortSignal`. */
  signal: kind("an AbortSignal", (value) => value instanceof AbortSignal),
  /** The id of an instance. */
  instanceId: kind("an instance id", isInstanceId),
  /** A `Uint8Array`. */
  bytes: kind("a Uint8Array", (value) => value instanceof Uint8Array),
  /** A logger. */
  logger: methods("a logger such as console,", "debug", "info", "warn", "error"),
  /** A meter. */
  meter: methods("a meter such as prometheusMeter(),", "counter", "gauge", "histogram"),
  /** A clock. */
  clock: methods("a clock", "now", "wallNow", "after"),
  /** The timeout of a call or wait, in milliseconds. 0 or less has passed already; above 2^53 it never does. */
  timeout: kind("a number of milliseconds", isNumber, { read: endless }),
  /** Milliseconds, 0 or more; above 2^53 the same as `Infinity`. */
  duration: kind("a number of milliseconds, 0 or more", isNumber, {
    inRange: (value) => (value as number) >= 0,
    read: endless,
  }),
  /** Milliseconds between repetitions, so neither 0 nor endless. */
  interval: kind("a number of milliseconds from 1 to 2147483647", isNumber, {
    inRange: (value) => (value as number) >= 1 && (value as number) < 2 ** 31,
  }),
  /** A whole number in a range. */
  whole: (low: number, high: number): OptionKind =>
    kind(`an integer between ${low} and ${high}`, Number.isInteger, {
      inRange: (value) => (value as number) >= low && (value as number) <= high,
    }),
  /** A number of places: a whole number from 1 on, or `Infinity`. */
  permits: kind(
    "an integer from 1 on, or Infinity",
    (value) => Number.isInteger(value) || value === Infinity,
    { inRange: (value) => (value as number) >= 1 },
  ),
  /** One of some texts. */
  oneOf: (...words: readonly string[]): OptionKind =>
    kind(alternatives(words), (value) => words.includes(value as string)),
  /** An object with some methods. */
  methods,
  /** An object of options, by its table. */
  options: <Options extends object>(table: OptionTable<Options>): OptionKind =>
    kind("an object", isRecord, { table: table as Table }),
  /** One of some texts, or an object of options. */
  oneOfOrOptions: <Options extends object>(
    words: readonly string[],
    table: OptionTable<Options>,
  ): OptionKind =>
    kind(
      `${alternatives(words)} or an object with ${Object.keys(table).join(", ")}`,
      (value) => isRecord(value) || words.includes(value as string),
      { table: table as Table },
    ),
};

function alternatives(words: readonly string[]): string {
  return words.map((word) => JSON.stringify(word)).join(" or ");
}

const none = Object.freeze({});

/**
 * Checks options by their table. `undefined` and `null` mean that an option, or all of them, are not given. Allocates
 * only if a value must be changed, so that calls pay little.
 *
 * @param options The user's options, or nothing.
 * @param table All known options.
 * @param cannot The failed action, as the beginning of an error's message.
 * @param whom The object of that action, such as a handler's name, which the error quotes.
 * @returns The given object, or a copy where it holds `null` or a practically endless time.
 * @throws {TypeError} If an option is unknown, or has the wrong type.
 * @throws {RangeError} If it is out of its range.
 *
 * @example Usage
 * ```ts ignore
 * const { mesh = "default" } = readOptions(given, { mesh: option.text }, "Cannot make a directory");
 * ```
 */
export function readOptions<Options extends object>(
  options: Options | null | undefined,
  table: NoInfer<OptionTable<Options>>,
  cannot: string,
  whom?: string,
): Options {
  if (options === undefined || options === null) return none as Options;
  if (isRecord(options)) return read(options as Given, table as Table, cannot, whom, "") as Options;
  throw new TypeError(`${begin(cannot, whom)}: options must be an object, got ${typeName(options)}`);
}

/** Options that were checked, with the defaults of their table. */
export function withDefaults<Options extends object, Kinds extends OptionTable<Options>>(
  options: Options,
  table: Kinds,
): Filled<Options, Kinds> {
  const filled: Record<string, unknown> = {};
  for (const name in table) {
    const value = (options as Given)[name];
    filled[name] = value === undefined ? table[name].fallback : value;
  }
  return filled as Filled<Options, Kinds>;
}

/**
 * The value of a required option.
 *
 * @throws {TypeError} If it was not given.
 */
export function requireOption<Options extends object, Name extends keyof Options & string>(
  options: Options,
  name: Name,
  table: NoInfer<OptionTable<Options>>,
  cannot: string,
): NonNullable<Options[Name]> {
  const value = options[name];
  if (value !== undefined && value !== null) return value;
  throw new TypeError(`${cannot}: ${name} is missing; it must be ${table[name].rule}`);
}

/**
 * Checks one argument by the kind of an option.
 *
 * @throws {TypeError} If it has the wrong type.
 * @throws {RangeError} If it is out of its range.
 */
export function checkArgument(name: string, value: unknown, kind: OptionKind<unknown>, cannot: string): void {
  if (!kind.fits(value)) throw wrong(TypeError, name, value, kind, cannot);
  if (kind.inRange !== undefined && !kind.inRange(value)) throw wrong(RangeError, name, value, kind, cannot);
}

/**
 * The error about an unknown name, with the known name that is nearest.
 *
 * @param what The noun for the names, such as "option".
 * @param known An object with a key for each known name.
 * @param path Prefix of the names.
 */
export function unknownName(
  what: string,
  name: string,
  known: object,
  cannot: string,
  path = "",
): TypeError {
  const names = Object.keys(known).sort();
  const near = names.map((one) => ({ one, edits: distance(name.toLowerCase(), one.toLowerCase()) }))
    .filter(({ one, edits }) => edits <= Math.max(1, Math.floor(one.length / 3)))
    .sort((a, b) => a.edits - b.edits)[0];
  const hint = near === undefined ? "" : `, did you mean "${path}${near.one}"?`;
  const all = names.map((one) => path + one).join(", ");
  return new TypeError(`${cannot}: there is no ${what} "${path}${name}"${hint} (there are ${all})`);
}

type Table = Readonly<Record<string, OptionKind<unknown> | undefined>>;
type Given = Readonly<Record<string, unknown>>;

/** @param path Prefix of the names of nested options. */
function read(options: Given, table: Table, cannot: string, whom: string | undefined, path: string): Given {
  let changed = false;
  for (const name in options) {
    const kind = table[name];
    // Keys that every object inherits have no rule.
    if (kind?.rule === undefined) throw unknownName("option", name, table, begin(cannot, whom), path);
    const value = options[name];
    if (value === undefined) continue;
    if (value === null && !kind.nullable) {
      changed = true;
      continue;
    }
    if (!kind.fits(value)) throw wrong(TypeError, path + name, value, kind, begin(cannot, whom));
    if (kind.inRange !== undefined && !kind.inRange(value)) {
      throw wrong(RangeError, path + name, value, kind, begin(cannot, whom));
    }
    if (kind.read !== undefined || kind.table !== undefined) {
      if (meant(value, kind, cannot, whom, path + name) !== value) changed = true;
    }
  }
  if (!changed) return options;
  // Symbols included: the library itself uses them.
  const given: Record<string, unknown> = { ...options };
  for (const name in options) {
    const value = options[name];
    const kind = table[name]!;
    if (value === null && !kind.nullable) given[name] = undefined;
    else given[name] = meant(value, kind, cannot, whom, path + name);
  }
  return given;
}

function meant(
  value: unknown,
  kind: OptionKind<unknown>,
  cannot: string,
  whom: string | undefined,
  path: string,
): unknown {
  if (kind.table !== undefined && typeof value === "object" && value !== null) {
    return read(value as Given, kind.table, cannot, whom, `${path}.`);
  }
  return kind.read === undefined || value === undefined ? value : kind.read(value);
}

function begin(cannot: string, whom: string | undefined): string {
  return whom === undefined ? cannot : `${cannot} "${whom}"`;
}

function wrong(
  Failure: ErrorConstructor,
  name: string,
  value: unknown,
  { rule, table, secret }: OptionKind<unknown>,
  cannot: string,
): Error {
  // A text in place of an object may be a secret that belongs in it.
  const got = secret || table !== undefined ? typeName(value) : describeValue(value);
  return new Failure(`${cannot}: ${name} must be ${rule}, got ${got}`);
}

/** Levenshtein distance. */
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
