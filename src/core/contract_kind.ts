import type { AnySchema } from "./schema.ts";

/** Key of the property under which a schema says that its contract is of a feature's own kind. */
export const contractKind: unique symbol = Symbol.for("zeromesh.contractKind") as never;

/**
 * The types that contracts of one kind have at both ends. A feature extends it: `this["contract"]` is the contract,
 * `this["options"]` are the options of its calls, `this["context"]` is the context of its handlers without `input`, and
 * `this["messenger"]` their `context.messenger`.
 */
export interface ContractTypes {
  /** The contract. */
  readonly contract: unknown;
  /** The messenger of the handler's context. */
  readonly messenger: unknown;
  /** The handler's context, without `input`. */
  readonly context: unknown;
  /** The options of a client's method. */
  readonly options: unknown;
  /** A client's method. */
  readonly method: unknown;
  /** The function that handles it. */
  readonly handler: unknown;
}

/** A schema that makes its contract one of a feature's own kind, as input or as output. */
export interface SchemaOfKind<Types extends ContractTypes = ContractTypes> extends AnySchema {
  /** The name of the kind. The types are absent at run time. */
  readonly [contractKind]: { readonly name: string; readonly types?: Types | undefined };
}

/** A contract of a feature's own kind. */
export type ContractOfKind<Types extends ContractTypes> =
  | { readonly output: SchemaOfKind<Types> }
  | { readonly input: SchemaOfKind<Types> };

/** The name of a contract's kind by its schemas. */
export function kindOf(input: AnySchema, output: AnySchema | undefined): string {
  for (const schema of [output, input] as readonly (Partial<SchemaOfKind> | undefined)[]) {
    const kind = schema?.[contractKind];
    if (kind !== undefined) return kind.name;
  }
  return output === undefined ? "am" : "unary";
}
