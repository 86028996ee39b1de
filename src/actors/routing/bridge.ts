/** Messages between a reference with a contract and an actor without one, or the other way round. */
import { validate } from "../../core/mod.ts";
import { type ActorContract, askSchemas, isBytes, tellSchema } from "../contract/contract.ts";
import { inputInvalid, outputInvalid } from "../failures.ts";
import { decodeValue, encodeValue, type ValueEncoding } from "../contract/values.ts";

/** How the values that a sender gives are to be understood. */
export interface GivenValues {
  /** How they are encoded between processes; `bytes` for a sender without a contract. */
  readonly encoding: ValueEncoding;
  /** The sender's contract, if its schemas have not checked them yet; null otherwise. */
  readonly contract: ActorContract | null;
}

/**
 * The input for an actor whose contract is of the other kind: bytes become a value, in the encoding of the actor's
 * contract, or a value becomes bytes, in the encoding of the sender's.
 *
 * @throws {ZeromeshError} `PAYLOAD_INVALID`, `ENCODING_FAILED`.
 */
export function bridgeInput(
  actors: ActorContract,
  given: GivenValues,
  kind: "tell" | "ask",
  name: string,
  input: unknown,
): unknown {
  if (given.encoding === "bytes") {
    if (input instanceof Uint8Array) return decodeValue(name, input, actors.encoding, "PAYLOAD_INVALID");
    throw inputInvalid(name, [{ message: "must be a Uint8Array" }]);
  }
  const { contract, encoding } = given;
  if (contract !== null) {
    const schema = kind === "tell" ? tellSchema(contract, name) : askSchemas(contract, name)?.input;
    if (schema) validate(schema, input, (issues, cause) => inputInvalid(name, issues, cause));
  }
  return encodeValue(name, input, encoding);
}

/**
 * The answer of such an actor, for its asker.
 *
 * @throws {ZeromeshError} `RESULT_INVALID`, `ENCODING_FAILED`.
 */
export function bridgeOutput(
  actors: ActorContract,
  { encoding, contract }: GivenValues,
  name: string,
  output: unknown,
): unknown {
  if (!isBytes(actors)) return encodeValue(name, output, actors.encoding);
  if (encoding === "bytes") return output;
  const value = decodeValue(name, output as Uint8Array, encoding, "RESULT_INVALID");
  const schema = contract === null ? undefined : askSchemas(contract, name)?.output;
  if (schema === undefined) return value;
  return validate(schema, value, (issues, cause) => outputInvalid(name, issues, cause));
}
