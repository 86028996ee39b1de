import { type ContractErrors, type DeclaredError, type ErrorCodeOf, isDeclared } from "./declared_errors.ts";
import { errorText, knownErrorCodes, ZeromeshError } from "./errors.ts";
import { checkArgument, option, type OptionKind, type OptionTable, readOptions } from "./options.ts";

/** One complaint of a schema. */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where in the value, outermost key first. */
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

/** What a schema's `validate` answers: a value, or issues. */
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

/** How a contract's values become bytes. */
export type Encoding = "json" | "msgpack";

/** What {@link contract} takes besides the name. */
export interface ContractOptions<
  Input extends AnySchema,
  Output extends AnySchema | undefined,
  Errors extends ContractErrors = ContractErrors,
> {
  /** What the caller sends. Checked before sending and again before the handler runs. */
  readonly input: Input;
  /** What the handler answers. Without it the contract is an am contract (`amSend`, `amSync`). */
  readonly output?: Output;
  /**
   * Errors that a handler may throw and its caller sees as they are: code to the schema of the details, or null. They
   * travel as JSON, up to 1 024 bytes.
   */
  readonly errors?: Errors | undefined;
  /** How values travel. Plain Velo peers understand `"json"` only. @default {"json"} */
  readonly encoding?: Encoding | undefined;
}

/** A Standard Schema. */
export const schemaOption: OptionKind = option.kind("a Standard Schema v1 (zod, valibot, …)", isSchema);

const contractOptionTable: OptionTable<ContractOptions<AnySchema, AnySchema>> = {
  input: schemaOption,
  output: schemaOption,
  errors: option.object,
  encoding: option.oneOf("json", "msgpack"),
};

/** What caller and server share about one handler. Made by {@link contract}. */
export interface Contract<
  Input extends AnySchema = AnySchema,
  Output extends AnySchema | undefined = AnySchema | undefined,
  Errors extends ContractErrors = ContractErrors,
> {
  /** The handler's name. */
  readonly name: string;
  /** Schema of what the caller sends. */
  readonly input: Input;
  /** Schema of the answer; undefined makes it an am contract. */
  readonly output: Output;
  /** Declared errors. */
  readonly errors: Errors;
  /** How values travel. */
  readonly encoding: Encoding;
  /**
   * Whether an error is one that this contract declares, with this code; then `error.details` has its type.
   *
   * @example Usage
   * ```ts ignore
   * try {
   *   await client.take(9);
   * } catch (error) {
   *   if (!take.isError(error, "OUT_OF_STOCK")) throw error;
   *   console.log(error.details.left);
   * }
   * ```
   */
  isError<Code extends ErrorCodeOf<Errors>>(error: unknown, code: Code): error is DeclaredError<Errors, Code>;
}

/** A contract with an answer. */
export type UnaryContract<
  Input extends AnySchema = AnySchema,
  Output extends AnySchema = AnySchema,
> = Contract<Input, Output>;

/** A contract without an answer. */
export type AmContract<Input extends AnySchema = AnySchema> = Contract<Input, undefined>;

/** What a caller gives to a contract. */
export type CallInput<C extends Contract> = SchemaInput<C["input"]>;
/** What a caller gets from a contract. */
export type CallOutput<C extends Contract> = C["output"] extends AnySchema ? SchemaOutput<C["output"]> : void;
/** What a contract's handler gets. */
export type HandlerInput<C extends Contract> = SchemaOutput<C["input"]>;
/** What a contract's handler gives. */
export type HandlerOutput<C extends Contract> = C["output"] extends AnySchema ? SchemaInput<C["output"]>
  : void;

/**
 * Describes one handler for both its sides: name, schema of the input, schema of the answer.
 *
 * With transforming schemas caller and handler see opposite sides: the caller gives the input's *in* type
 * and gets the answer's *out* type; the handler gets and gives the other two.
 *
 * @param name The handler's name, 1 to 65 535 UTF-8 bytes, not starting with `_`.
 * @param given Schemas, declared errors and encoding.
 * @returns The contract, frozen.
 * @throws {TypeError} If an option is not known, a schema is not a Standard Schema v1, or a declared error has a code of
 * the library.
 *
 * @example Usage
 * ```ts
 * import { contract } from "zeromesh";
 * import { z } from "zod";
 *
 * export const add = contract("add", {
 *   input: z.object({ a: z.number(), b: z.number() }),
 *   output: z.object({ sum: z.number() }),
 * });
 * ```
 */
export function contract<
  Input extends AnySchema,
  Output extends AnySchema | undefined = undefined,
  Errors extends ContractErrors = Record<never, never>,
>(name: string, given: ContractOptions<Input, Output, Errors>): Contract<Input, Output, Errors> {
  if (typeof name !== "string") throw new TypeError("Cannot make a contract: its name must be a string");
  if (name === "") throw new ZeromeshError("NAME_INVALID", "Cannot make a contract: its name is empty");
  const cannot = `Cannot make contract "${name}"`;
  const options = readOptions<ContractOptions<AnySchema, AnySchema | undefined>>(
    given,
    contractOptionTable,
    cannot,
  );
  checkArgument("input", options.input, schemaOption, cannot);
  for (const [code, schema] of Object.entries(options.errors ?? {})) {
    // Such a code says what the library itself found, and with it whether the handler has run.
    if ((knownErrorCodes as readonly string[]).includes(code)) {
      throw new TypeError(`${cannot}: the code ${code} is the library's own`);
    }
    if (schema !== null) checkArgument(`errors.${code}`, schema, schemaOption, cannot);
  }
  const made: Contract<Input, Output, Errors> = Object.freeze({
    name,
    input: options.input as Input,
    output: options.output as Output,
    errors: Object.freeze({ ...options.errors }) as Errors,
    encoding: options.encoding ?? "json",
    isError: <Code extends ErrorCodeOf<Errors>>(
      error: unknown,
      code: Code,
    ): error is DeclaredError<Errors, Code> => isDeclared(made, error, code),
  });
  return made;
}

/** Whether a value is a Standard Schema v1. */
export function isSchema(value: unknown): value is AnySchema {
  const standard = (value as AnySchema | null | undefined)?.["~standard"];
  return standard?.version === 1 && typeof standard.validate === "function";
}

/** Whether a value was made by {@link contract}. */
export function isContract(value: unknown): value is Contract {
  return typeof value === "object" && value !== null && "input" in value && "name" in value &&
    "errors" in value;
}

/** Makes the error of a value that its schema does not take; `cause` is what the validator threw, if it did. */
export type SchemaFailure = (issues: readonly SchemaIssue[], cause?: unknown) => ZeromeshError;

/**
 * Runs a schema. A synchronous validator costs no promise.
 *
 * @throws {ZeromeshError} What `failure` makes of the issues, when there are any, or of what the validator threw.
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
 * The same for a value that arrived. An empty payload is `undefined`, or `null` where the schema takes only that. To
 * a peer that cannot tell the two apart, `null` is either, whichever the schema takes.
 *
 * @param alike Whether the sender cannot tell them apart.
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

/** An issue's place in the value, such as `items[2].price`. */
export function issuePath(issue: SchemaIssue): string {
  let text = "";
  for (const step of issue.path ?? []) {
    const key = typeof step === "object" ? step.key : step;
    if (typeof key === "number") text += `[${key}]`;
    else text += text === "" ? String(key) : `.${String(key)}`;
  }
  return text;
}
