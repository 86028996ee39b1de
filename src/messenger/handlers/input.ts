import { type AnySchema, validateArrived } from "../../core/mod.ts";
import { decodePayload } from "../../wire/mod.ts";
import type { InboundCall } from "./context.ts";
import { payloadInvalid, payloadUnreadable, Refusal } from "./refusal.ts";

/**
 * Decodes and validates a message's payload, synchronously if the schema does.
 *
 * @throws {Refusal} `PAYLOAD_INVALID`.
 */
export function readInput(call: InboundCall, schema: AnySchema): unknown {
  const { handlerName: name } = call;
  const decoded = decodePayload(call.lentPayload, call.encoding);
  if (decoded.error !== undefined) throw new Refusal(payloadUnreadable(name, decoded.error));
  return validateArrived(
    schema,
    decoded.value,
    !call.session.dialect.hasUndefined,
    (issues) => new Refusal(payloadInvalid(name, issues)),
  );
}
