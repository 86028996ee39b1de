import { type AnySchema, validateArrived } from "../../core/mod.ts";
import { decodePayload } from "../../wire/mod.ts";
import type { InboundCall } from "./context.ts";
import { DispatchFailure, payloadInvalid, payloadUnreadable } from "./failures.ts";

/**
 * Decodes and validates a message's payload, synchronously if the schema does.
 *
 * @throws {DispatchFailure} `PAYLOAD_INVALID`.
 */
export function readInput(call: InboundCall, schema: AnySchema): unknown {
  const { handlerName: name } = call;
  const decoded = decodePayload(call.lentPayload, call.encoding);
  if (decoded.error !== undefined) throw new DispatchFailure(payloadUnreadable(name, decoded.error));
  return validateArrived(
    schema,
    decoded.value,
    !call.session.dialect.hasUndefined,
    (issues) => new DispatchFailure(payloadInvalid(name, issues)),
  );
}
