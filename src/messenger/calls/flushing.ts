import type { Clock } from "../../core/mod.ts";
import type { Session } from "../peers/session.ts";

/**
 * Waits until libzmq has everything that was sent on a connection, also what waits for credit, the connection is
 * closed, or the time is up.
 */
export async function flushSession(
  clock: Clock,
  { link, credit }: Session,
  giveUpAt: number,
  signal?: AbortSignal | undefined,
): Promise<boolean> {
  if (credit !== null) await within(clock, credit.idle(), giveUpAt, signal);
  link.flush();
  while (!link.flushed && link.state !== "closed" && clock.now() < giveUpAt && !signal?.aborted) {
    await within(clock, link.room(), giveUpAt, signal);
  }
  return link.flushed && (credit === null || credit.waiting === 0);
}

/** Waits for work to end one way or the other, but not for longer than until a moment on the clock. */
export function within(
  clock: Clock,
  work: Promise<unknown>,
  giveUpAt: number,
  signal?: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(Math.max(0, giveUpAt - clock.now()), done);
    signal?.addEventListener("abort", done);
    work.then(done, done);
  });
}
