import { type Clock, hold, ZeromeshError } from "../../core/mod.ts";
import type { Session } from "../peers/peer.ts";

/**
 * Waits until libzmq has all messages of a connection, with those that wait for credit, the connection is closed, or
 * the time is up.
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

/**
 * Waits until libzmq has all messages of these connections.
 *
 * @throws {ZeromeshError} `TIMEOUT`, naming a peer with waiting messages.
 * @throws {unknown} The signal's reason.
 */
export async function flushSessions(
  clock: Clock,
  sessions: readonly Session[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const giveUpAt = clock.now() + timeoutMs;
  for (const session of sessions) {
    signal?.throwIfAborted();
    const flushed = await flushSession(clock, session, giveUpAt, signal);
    signal?.throwIfAborted();
    const { link, peer, waiting, who } = session;
    if (flushed || link.state === "closed") continue;
    const count = link.queuedMessages + waiting.count;
    throw new ZeromeshError(
      "TIMEOUT",
      `${count} messages for ${who} still wait after ${timeoutMs} ms`,
      { peer: peer?.instanceId },
    );
  }
}

/** Waits until a promise settles, or until a moment on the clock. */
export function within(
  clock: Clock,
  work: Promise<unknown>,
  giveUpAt: number,
  signal?: AbortSignal | undefined,
): Promise<void> {
  const timeoutMs = Math.max(0, giveUpAt - clock.now());
  const end = () => {};
  return hold(work, { clock, timeoutMs, signal, late: end }).then(end, end);
}
