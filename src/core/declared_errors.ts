import { ZeromeshError } from "./errors.ts";
import type { AnySchema, SchemaInput, SchemaOutput } from "./schema.ts";

/** The errors a contract declares: code to the schema of its details, or null where it has none. */
export type ContractErrors = Readonly<Record<string, AnySchema | null>>;

/** A contract, as far as its errors go. */
export interface DeclaresErrors {
  /** The handler's name. */
  readonly name: string;
  /** Declared errors. */
  readonly errors: ContractErrors;
}

/** The codes that a contract declares. */
export type ErrorCodeOf<Errors extends ContractErrors> = keyof Errors & string;

/** One of a contract's errors as its caller gets it. */
export type DeclaredError<Errors extends ContractErrors, Code extends ErrorCodeOf<Errors>> = ZeromeshError & {
  /** The code. */
  readonly code: Code;
  /** The details, as their schema gives them. */
  readonly details: Errors[Code] extends AnySchema ? SchemaOutput<Errors[Code]> : undefined;
};

/** The arguments of `fail` after the code: details if the code has some, and a message. */
export type FailArguments<S extends AnySchema | null> = S extends AnySchema
  ? undefined extends SchemaInput<S> ? [details?: SchemaInput<S>, message?: string]
  : [details: SchemaInput<S>, message?: string]
  : [details?: undefined, message?: string];

/** The type of `fail`: makes a declared error for a handler to throw. */
export type Fail<Errors extends ContractErrors> = <Code extends ErrorCodeOf<Errors>>(
  code: Code,
  ...about: FailArguments<Errors[Code]>
) => ZeromeshError;

/**
 * Makes `context.fail` of a handler.
 *
 * @param contract The handler's contract; null without one.
 */
export function failOf(handler: string, contract: DeclaresErrors | null): Fail<ContractErrors> {
  return (code: string, details?: unknown, message?: string) => {
    if (contract === null || !Object.hasOwn(contract.errors, code)) {
      const known = Object.keys(contract?.errors ?? {}).join(", ") || "none";
      throw new TypeError(`Cannot fail with ${code}: "${handler}" declares ${known}`);
    }
    return new ZeromeshError(code, message ?? `"${handler}" failed with ${code}`, {
      handler,
      ran: "yes",
      details,
    });
  };
}

/** Whether an error is the one that a contract declares under a code; see `Contract.isError`. */
export function isDeclared(contract: DeclaresErrors, error: unknown, code: string): boolean {
  if (!(error instanceof ZeromeshError) || error.code !== code) return false;
  // Another contract may declare the code with different details.
  return Object.hasOwn(contract.errors, code) && (error.handler ?? contract.name) === contract.name;
}
