import type { AnySchema } from "../core/mod.ts";
import type { TellEntry } from "./definition.ts";
import { inputInvalid } from "./failures.ts";

/** The entry of a tell, and of an ask without its answer's schema. */
export function tellEntry(name: string, handler: TellEntry["handler"], input: AnySchema): TellEntry {
  return { name, handler, input, invalid: (issues, cause) => inputInvalid(name, issues, cause) };
}
