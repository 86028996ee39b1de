import type { ManagedEnd, ManagedEvent } from "../actors/mod.ts";
import { holdProcess, onAbort } from "../core/mod.ts";
import { endText } from "./actors_control.ts";
import { oneLine } from "./output.ts";

/** The entries of a source; rejects with the signal's reason. The process goes on while it waits. */
export async function* untilAborted<T>(
  source: AsyncIterable<T>,
  signal: AbortSignal,
): AsyncIterableIterator<T> {
  using _held = holdProcess();
  const iterator = source[Symbol.asyncIterator]();
  let interrupt: (reason: unknown) => void = () => {};
  using _listening = onAbort(signal, () => interrupt(signal.reason));
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        interrupt = reject;
        iterator.next().then(resolve, reject);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // It may wait for its next entry, and end only then.
    iterator.return?.().catch(() => {});
  }
}

/** An event in one line. */
export function eventLine(event: ManagedEvent): string {
  if (!("actor" in event)) return `${event.count} events were dropped: this command was too slow for them`;
  const { type, actor, name, seq, at, end, ...facts } = event;
  const about = end === undefined
    ? Object.entries(facts).map(([fact, value]) => `${fact} ${JSON.stringify(value)}`).join(", ")
    : endText(end as ManagedEnd);
  return oneLine(`${new Date(at).toISOString()} ${name ?? actor} ${seq} ${type} ${about}`.trimEnd());
}
