import { type ContractErrors, type DeclaredError, type ErrorCodeOf, isDeclared } from "./declared_errors.ts";
import { kindOf } from "./contract_kind.ts";
import { typeName } from "./describe_value.ts";
import { knownErrorCodes, ZeromeshError } from "./errors.ts";
import { checkArgument, option, type OptionTable, readOptions } from "./options.ts";
import { type AnySchema, type SchemaInput, schemaOption, type SchemaOutput } from "./schema.ts";

/** Encoding of a contract's values. */
export type Encoding = "json" | "msgpack";

/** The parts of a {@link contract} besides its name. */
export interface ContractOptions<
  Input extends AnySchema,
  Output extends AnySchema | undefined,
  Errors extends ContractErrors = ContractErrors,
> {
  /** Schema of the input. The caller validates before sending, the handler's side before the handler runs. */
  readonly input: Input;
  /** Schema of the answer. Without it the contract is an am contract (`amSend`, `amSync`). */
  readonly output?: Output;
  /**
   * Errors that a handler may throw and its caller receives unchanged: code to the schema of the details, or null. They
   * travel as JSON, up to 1 024 bytes.
   */
  readonly errors?: Errors | undefined;
  /** Encoding of the values. Plain Velo peers understand `"json"` only. @default {"json"} */
  readonly encoding?: Encoding | undefined;
}

const contractOptionTable: OptionTable<ContractOptions<AnySchema, AnySchema>> = {
  input: schemaOption,
  output: schemaOption,
  errors: option.object,
  encoding: option.oneOf("json", "msgpack"),
};

/** The description of a handler that caller and server share. Made by {@link contract}. */
export interface Contract<
  Input extends AnySchema = AnySchema,
  Output extends AnySchema | undefined = AnySchema | undefined,
  Errors extends ContractErrors = ContractErrors,
> {
  /** The handler's name. */
  readonly name: string;
  /** Schema of the input. */
  readonly input: Input;
  /** Schema of the answer; undefined for an am contract. */
  readonly output: Output;
  /** Declared errors. */
  readonly errors: Errors;
  /** Encoding of the values. */
  readonly encoding: Encoding;
  /** `unary`, `am` for a contract without an answer, or the kind that its output or input names. */
  readonly kind: string;
  /**
   * Whether an error is the one that this contract declares under this code; `error.details` then has its type.
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

/** The input that a caller gives. */
export type CallInput<C extends Contract> = SchemaInput<C["input"]>;
/** The answer that a caller gets. */
export type CallOutput<C extends Contract> = C["output"] extends AnySchema ? SchemaOutput<C["output"]> : void;
/** The input that a handler gets. */
export type HandlerInput<C extends Contract> = SchemaOutput<C["input"]>;
/** The answer that a handler returns. */
export type HandlerOutput<C extends Contract> = C["output"] extends AnySchema ? SchemaInput<C["output"]>
  : void;

/**
 * Describes one handler for both sides: name, schema of the input, schema of the answer.
 *
 * With transforming schemas the sides differ: the caller gives the input's *in* type and gets the answer's *out* type;
 * the handler gets the input's *out* type and returns the answer's *in* type.
 *
 * @param name The handler's name, 1 to 65 535 UTF-8 bytes, not starting with `_`.
 * @param given Schemas, declared errors and encoding.
 * @returns The contract, frozen.
 * @throws {TypeError} If an option is unknown, a schema is not a Standard Schema v1, or a declared error has a code of
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
  return makeContract(name, given, false);
}

/**
 * Describes a handler of the library, as {@link contract} does for users. Its declared errors may have codes of the
 * library: the caller gets them as the handler threw them, with `ran: "yes"`.
 */
export function systemContract<
  Input extends AnySchema,
  Output extends AnySchema | undefined = undefined,
  Errors extends ContractErrors = Record<never, never>,
>(name: string, given: ContractOptions<Input, Output, Errors>): Contract<Input, Output, Errors> {
  return makeContract(name, given, true);
}

function makeContract<
  Input extends AnySchema,
  Output extends AnySchema | undefined,
  Errors extends ContractErrors,
>(
  name: string,
  given: ContractOptions<Input, Output, Errors>,
  own: boolean,
): Contract<Input, Output, Errors> {
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
    // A code of the library says whether the handler has run.
    if (!own && (knownErrorCodes as readonly string[]).includes(code)) {
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
    kind: kindOf(options.input, options.output),
    isError: <Code extends ErrorCodeOf<Errors>>(
      error: unknown,
      code: Code,
    ): error is DeclaredError<Errors, Code> => isDeclared(made, error, code),
  });
  return made;
}

/** Whether a value was made by {@link contract}. */
export function isContract(value: unknown): value is Contract {
  return typeof value === "object" && value !== null && "input" in value && "name" in value &&
    "errors" in value;
}

/**
 * The contracts in an object, such as a module (`import * as`), with their keys; other values are skipped.
 *
 * @throws {TypeError} If it is not an object, or holds no contract.
 */
export function contractsIn(contracts: object, cannot: string): [key: string, contract: Contract][] {
  if (typeof contracts !== "object" || contracts === null) {
    throw new TypeError(
      `${cannot}: the contracts must be an object that holds them, got ${typeName(contracts)}`,
    );
  }
  const all: [string, unknown][] = Object.entries(contracts);
  const found = all.filter((entry): entry is [string, Contract] => isContract(entry[1]));
  if (found.length > 0 || all.length === 0) return found;
  const names = all.slice(0, 5).map(([name]) => `"${name}"`).join(", ");
  throw new TypeError(`${cannot}: none of ${names} is a contract`);
}
