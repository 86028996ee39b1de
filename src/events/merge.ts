import { errorText, ZeromeshError } from "../core/mod.ts";
import type { Event } from "./event.ts";
import type { EventHandle } from "./handle.ts";

/** What {@link merge} needs of a manager. */
export interface MergeHost {
  /** Makes the event that stands for all. */
  newEvent(): Event;
  /** Waits for one of them. */
  awaiter(handle: EventHandle): Promise<unknown>;
}

/**
 * One event for many: it is triggered when all are, and poisoned, with every reason, once all have ended and some
 * were not triggered.
 *
 * @throws {TypeError} If there are none.
 */
export function merge(
  host: MergeHost,
  inputs: Iterable<EventHandle | { readonly handle: EventHandle }>,
): EventHandle {
  const handles = [...inputs].map((input) => typeof input === "bigint" ? input : input.handle);
  if (handles.length === 0) throw new TypeError("Cannot merge no events at all");
  const merged = host.newEvent();
  const reasons: (string | undefined)[] = new Array<undefined>(handles.length).fill(undefined);
  let left = handles.length;
  const done = () => {
    if (--left > 0) return;
    const all = reasons.filter((reason) => reason !== undefined);
    // Somebody who has the handle may have ended it first.
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

/** Why awaiting failed: the reason of a poisoned event, else what the error says. */
export function reasonOf(error: unknown): string {
  if (error instanceof ZeromeshError && error.code === "EVENT_POISONED") {
    const { reason } = error.details as { readonly reason?: unknown };
    if (typeof reason === "string") return reason;
  }
  return errorText(error);
}
