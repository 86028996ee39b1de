import { errorText, type ZeromeshError } from "./errors.ts";
import { option, type OptionKind } from "./options.ts";

/** One issue of a schema. */
export interface SchemaIssue {
  /** The problem. */
  readonly message: string;
  /** Path in the value, outermost key first. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** The result of a schema's `validate`: a value, or issues. */
export type SchemaResult<Out> =
  | { readonly value: Out; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<SchemaIssue> };

/**
 * The part of Standard Schema v1 that this library uses: zod, valibot, arktype and others implement it.
 *
 * @see https://standardschema.dev
 */
export interface StandardSchema<In = unknown, Out = In> {
  /** The standard's property. */
  readonly "~standard": {
    /** Version of the standard. */
    readonly version: 1;
    /** The validator's name. */
    readonly vendor: string;
    /** Checks a value. A synchronous answer costs no promise. */
    readonly validate: (value: unknown) => SchemaResult<Out> | Promise<SchemaResult<Out>>;
    /** Types only; absent at run time. */
    readonly types?: { readonly input: In; readonly output: Out } | undefined;
  };
}

/** Any Standard Schema. */
export type AnySchema = StandardSchema<unknown, unknown>;

/** The type a schema takes. */
export type SchemaInput<S extends AnySchema> = NonNullable<S["~standard"]["types"]>["input"];

/** The type a schema gives after validation. */
export type SchemaOutput<S extends AnySchema> = NonNullable<S["~standard"]["types"]>["output"];

/** Whether a value is a Standard Schema v1. */
export function isSchema(value: unknown): value is AnySchema {
  const standard = (value as AnySchema | null | undefined)?.["~standard"];
  return standard?.version === 1 && typeof standard.validate === "function";
}

/** A Standard Schema. */
export const schemaOption: OptionKind = option.kind("a Standard Schema v1 (zod, valibot, …)", isSchema);

/** Makes the error of an invalid value; `cause` is an error that the validator threw. */
export type SchemaFailure = (issues: readonly SchemaIssue[], cause?: unknown) => ZeromeshError;

/**
 * Runs a schema. A synchronous validator costs no promise.
 *
 * @throws {ZeromeshError} The error of `failure`, for issues or a validator that threw.
 */
export function validate<Out>(
  schema: StandardSchema<unknown, Out>,
  value: unknown,
  failure: SchemaFailure,
): Out | Promise<Out> {
  let result: SchemaResult<Out> | Promise<SchemaResult<Out>>;
  try {
    result = schema["~standard"].validate(value);
  } catch (error) {
    throw threw(error, failure);
  }
  if (!(result instanceof Promise)) return accept(result, failure);
  return result.then((settled) => accept(settled, failure), (error) => {
    throw threw(error, failure);
  });
}

/**
 * Validates a received value. An empty payload is `undefined`, or `null` where the schema takes only that.
 *
 * @param alike Whether the sender cannot tell `null` from `undefined`; then `null` is whichever the schema takes.
 */
export function validateArrived<Out>(
  schema: StandardSchema<unknown, Out>,
  value: unknown,
  alike: boolean,
  failure: SchemaFailure,
): Out | Promise<Out> {
  if (value !== undefined && (value !== null || !alike)) return validate(schema, value, failure);
  const [first, second] = alike ? [null, undefined] : [undefined, null];
  const again = (refused: ZeromeshError) => validate(schema, second, () => refused);
  try {
    const checked = validate(schema, first, failure);
    return checked instanceof Promise ? checked.catch(again) : checked;
  } catch (error) {
    return again(error as ZeromeshError);
  }
}

function threw(error: unknown, failure: SchemaFailure): ZeromeshError {
  return failure([{ message: `its validator failed: ${errorText(error)}` }], error);
}

function accept<Out>(result: SchemaResult<Out>, failure: SchemaFailure): Out {
  if (typeof result !== "object" || result === null) {
    throw failure([{ message: "its validator returned neither a value nor issues" }]);
  }
  if (result.issues === undefined) return result.value;
  throw failure(result.issues);
}

/** The issues as one line for a message: `a.b: expected number; c: required`. At most five are named. */
export function describeIssues(issues: readonly SchemaIssue[]): string {
  const named = issues.slice(0, 5).map((issue) => {
    const path = issuePath(issue);
    return path === "" ? issue.message : `${path}: ${issue.message}`;
  });
  if (issues.length > named.length) named.push(`and ${issues.length - named.length} more`);
  return named.join("; ");
}

/** An issue's path in the value, such as `items[2].price`. */
export function issuePath(issue: SchemaIssue): string {
  let text = "";
  for (const step of issue.path ?? []) {
    const key = typeof step === "object" ? step.key : step;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}
