import { type AnySchema, type SchemaFailure, validate } from "../../core/mod.ts";
import type { FeatureCall } from "../../messenger/mod.ts";
import { type ActorContract, askSchemas, isBytes, tellSchema } from "../contract/contract.ts";
import { decodeValue, encodingOf, type ValueEncoding } from "../contract/values.ts";
import { inputInvalid, outputInvalid } from "../failures.ts";

/** Reads an answer. */
export type Accept = NonNullable<FeatureCall<unknown>["accept"]>;

/** What all messages of a contract with one name have in common. */
export interface MessageKind {
  readonly contract: ActorContract;
  readonly name: string;
  /** The name in errors and metrics. */
  readonly label: string;
  readonly encoding: ValueEncoding;
  /** The schema of the value. */
  readonly input: AnySchema;
  /** Makes the error of a value that the schema refuses. */
  readonly invalid: SchemaFailure;
  /** Reads the answer; undefined without one. */
  readonly accept: Accept | undefined;
}

/** The tells, or the asks, of contracts. What a message needs besides its value is made once for each name. */
export class MessageKinds {
  readonly #asks: boolean;
  readonly #byContract = new WeakMap<ActorContract, Map<string, MessageKind>>();
  #last: MessageKind | null = null;

  constructor(asks: boolean) {
    this.#asks = asks;
  }

  /** The kind with a name; null if the contract has none. */
  of(contract: ActorContract, name: string): MessageKind | null {
    const last = this.#last;
    if (last !== null && last.contract === contract && last.name === name) return last;
    const known = this.#byContract.get(contract)?.get(name);
    if (known !== undefined) return this.#last = known;
    const kind = this.#make(contract, name);
    // An actor without a contract takes any names, of which there is no end.
    if (kind !== null && !isBytes(contract)) {
      const kinds = this.#byContract.get(contract);
      if (kinds === undefined) this.#byContract.set(contract, new Map([[name, kind]]));
      else kinds.set(name, kind);
    }
    return this.#last = kind;
  }

  #make(contract: ActorContract, name: string): MessageKind | null {
    const schemas = this.#asks ? askSchemas(contract, name) : null;
    const input = this.#asks ? schemas?.input ?? null : tellSchema(contract, name);
    if (input === null) return null;
    const encoding = encodingOf(contract);
    return {
      contract,
      name,
      label: labelOf(contract, name),
      encoding,
      input,
      invalid: (issues, cause) => inputInvalid(name, issues, cause),
      accept: schemas === null ? undefined : readerOf(name, encoding, schemas.output),
    };
  }
}

/** The name of a message in errors and metrics. */
export function labelOf(contract: ActorContract, name: string): string {
  return `${contract.name}.${name}`;
}

function readerOf(name: string, encoding: ValueEncoding, output: AnySchema): Accept {
  // What comes as bytes cannot be anything else.
  if (encoding === "bytes") return (answer) => answer.keep();
  const invalid: SchemaFailure = (issues, cause) => outputInvalid(name, issues, cause);
  return (answer) => {
    const value = decodeValue(name, answer.payload, encoding, "RESULT_INVALID");
    return validate(output, value, invalid);
  };
}
