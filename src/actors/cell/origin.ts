import type { InstanceId } from "../../core/mod.ts";
import type { Origin } from "./parts.ts";

/** No headers. */
export const noHeaders: Readonly<Record<string, string>> = Object.freeze(
  Object.create(null) as Record<string, string>,
);

/** Nobody waits. */
export const noChain: readonly string[] = Object.freeze([]);

/** The origin of what carries nothing but its value. */
export function plainOrigin(
  instance: InstanceId,
  sender: string | null = null,
  trace: Origin["trace"] = null,
): Origin {
  return { sender, instance, headers: noHeaders, deadlineAt: Infinity, chain: noChain, trace };
}
