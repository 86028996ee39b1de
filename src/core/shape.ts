import { option, type OptionKind } from "./options.ts";
import type { AnySchema, SchemaIssue, SchemaOutput, SchemaResult, StandardSchema } from "./schema.ts";

type Fields = Readonly<Record<string, AnySchema>>;

/** An object with these fields; those that may be `undefined` may be missing. */
type RecordOf<F extends Fields> =
  & { readonly [K in keyof F as undefined extends SchemaOutput<F[K]> ? never : K]: SchemaOutput<F[K]> }
  & { readonly [K in keyof F as undefined extends SchemaOutput<F[K]> ? K : never]?: SchemaOutput<F[K]> };

function make<T>(validate: (value: unknown, issues: SchemaIssue[]) => unknown): StandardSchema<T> {
  const check = (value: unknown): SchemaResult<T> => {
    const issues: SchemaIssue[] = [];
    const read = validate(value, issues);
    return issues.length === 0 ? { value: read as T } : { issues };
  };
  return { "~standard": { version: 1, vendor: "zeromesh", validate: check } };
}

/** Checks a part of a value, and adds its issues with their path to those of the whole. */
function check(part: AnySchema, value: unknown, key: PropertyKey, issues: SchemaIssue[]): unknown {
  // All schemas here are synchronous.
  const result = part["~standard"].validate(value) as SchemaResult<unknown>;
  if (result.issues === undefined) return result.value;
  for (const { message, path = [] } of result.issues) issues.push({ message, path: [key, ...path] });
  return undefined;
}

const of = <T>({ rule, fits, inRange }: OptionKind): StandardSchema<T> =>
  make((value, issues) => {
    if (!fits(value) || inRange?.(value) === false) issues.push({ message: `must be ${rule}` });
    return value;
  });

function read<T>(schema: StandardSchema<T>, value: unknown): T | undefined {
  return check(schema, value, "", []) as T | undefined;
}

/**
 * Schemas of system messages. They are made of the kinds of options, so that no validator is loaded for them.
 */
export const shape = {
  /** A schema's output; undefined for a value that it refuses. */
  read,
  /** A value of an option's kind. */
  of,
  /** Any value. */
  anything: make<unknown>((value) => value),
  /** A text, which may be empty. */
  string: of<string>(option.string),
  /** A text that is not empty. */
  text: of<string>(option.text),
  /** A number. */
  number: of<number>(option.number),
  /** `true` or `false`. */
  flag: of<boolean>(option.flag),
  /** A value that may be missing or `null`; both give `undefined`. */
  optional: <T>({ "~standard": { validate } }: StandardSchema<T>): StandardSchema<T | undefined> => ({
    "~standard": {
      version: 1,
      vendor: "zeromesh",
      validate: (value) => value === undefined || value === null ? { value: undefined } : validate(value),
    },
  }),
  /** A value that a peer may omit, or send in another form; both give `undefined`. */
  lenient: <T>(schema: StandardSchema<T>): StandardSchema<T | undefined> =>
    make((value) => read(schema, value)),
  /** An array. */
  list: <T>(item: StandardSchema<T>): StandardSchema<readonly T[]> =>
    make((value, issues) => {
      if (Array.isArray(value)) return value.map((one, at) => check(item, one, at, issues));
      return void issues.push({ message: "must be an array" });
    }),
  /** An object with these fields; others are ignored. */
  record: <F extends Fields>(fields: F): StandardSchema<RecordOf<F>> =>
    make((value, issues) => {
      if (!option.object.fits(value)) {
        return void issues.push({ message: `must be an object with ${Object.keys(fields).join(", ")}` });
      }
      const read: Record<string, unknown> = {};
      for (const [name, field] of Object.entries(fields)) {
        const found = check(field, (value as Record<string, unknown>)[name], name, issues);
        if (found !== undefined) read[name] = found;
      }
      return read;
    }),
};
