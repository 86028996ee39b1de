import { errorText, ZeromeshError } from "../../core/mod.ts";
import { FeatureFailure } from "../../messenger/mod.ts";

/** Throws what the caller is to be told: code, text and details, and whether the handler ran. */
export function fail(error: unknown): never {
  if (!(error instanceof ZeromeshError)) {
    throw new FeatureFailure({ code: "HANDLER_FAILED", message: errorText(error), ran: "yes" });
  }
  const { code, message, ran, details } = error;
  throw new FeatureFailure({ code, message, ran, data: dataOf(details) });
}

const encoder = new TextEncoder();
// Of a header's value.
const maxDetailBytes = 1_024;

/** Details travel in a header, which holds little. */
function dataOf(details: unknown): unknown {
  try {
    const text: string | undefined = JSON.stringify(details);
    return text !== undefined && encoder.encode(text).length <= maxDetailBytes ? details : undefined;
  } catch {
    return undefined;
  }
}
