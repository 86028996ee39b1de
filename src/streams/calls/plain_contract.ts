import { type AnySchema, type Contract, isStream, type UnaryContract } from "../../core/mod.ts";

/** The payload of a call whose input is a stream, which is not read. */
const unread: AnySchema = schema(() => true);
/** The answer of a handler whose output is a stream. */
const nothing: AnySchema = schema((value) => value === undefined || value === null);

function schema(fits: (value: unknown) => boolean): AnySchema {
  const validate = (value: unknown) =>
    fits(value)
      ? { value: undefined }
      : { issues: [{ message: "it is no end of a stream; its handler has another contract" }] };
  return { "~standard": { version: 1, vendor: "zeromesh", validate } };
}

/** The contract of the call that carries a contract's streams: what is no stream is its payload, or its answer. */
export function plainContract(contract: Contract): UnaryContract {
  const { input, output } = contract;
  return Object.freeze({
    ...contract,
    kind: "unary",
    input: isStream(input) ? unread : input,
    output: output === undefined || isStream(output) ? nothing : output,
  });
}
