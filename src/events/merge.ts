import { errorText, ZeromeshError } from "../core/mod.ts";
import type { Event } from "./event.ts";
import type { EventHandle } from "./handle.ts";

/** The event manager, as far as {@link merge} uses it. */
export interface MergeHost {
  /** Makes the merged event. */
  newEvent(): Event;
  /** Waits for an input. */
  awaiter(handle: EventHandle): Promise<unknown>;
}

/**
 * Merges events into one: triggered when all inputs are; poisoned with all their reasons once all have ended and some
 * were not triggered.
 *
 * @throws {TypeError} If there are no inputs.
 */
export function merge(
  host: MergeHost,
  inputs: Iterable<EventHandle | { readonly handle: EventHandle }>,
): EventHandle {
  const handles = [...inputs].map((input) => typeof input === "bigint" ? input : input.handle);
  if (handles.length === 0) throw new TypeError("Cannot merge events: the list is empty");
  const merged = host.newEvent();
  const reasons: (string | undefined)[] = new Array<undefined>(handles.length).fill(undefined);
  let left = handles.length;
  const done = () => {
    if (--left > 0) return;
    const all = reasons.filter((reason) => reason !== undefined);
    // Another holder of the handle may have completed it first.
    try {
      if (all.length === 0) merged.trigger();
      else merged.poison(all.join("; "));
    } catch (error) {
      if (!(error instanceof ZeromeshError)) throw error;
    }
  };
  handles.forEach((handle, i) => {
    host.awaiter(handle).then(done, (error: unknown) => {
      reasons[i] = `Merge dependency ${handle} poisoned: ${reasonOf(error)}`;
      done();
    });
  });
  return merged.intoHandle();
}

/** Why awaiting failed: the reason of a poisoned event, or the error's text. */
export function reasonOf(error: unknown): string {
  if (error instanceof ZeromeshError && error.code === "EVENT_POISONED") {
    const { reason } = error.details as { readonly reason?: unknown };
    if (typeof reason === "string") return reason;
  }
  return errorText(error);
}
