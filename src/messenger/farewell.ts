import type { Clock } from "../core/mod.ts";
import type { Link } from "../transport/mod.ts";
import { flushSession, within } from "./calls/flushing.ts";
import type { Connections } from "./peers/connections.ts";
import type { Session } from "./peers/peer.ts";

/** Every connection, the one to oneself first. */
export function* allSessions(connections: Connections): IterableIterator<Session> {
  yield connections.self;
  for (const peer of connections.peers.values()) yield* peer.sessions();
}

/** Waits until libzmq has everything that was sent on any connection, answers to plain Velo included. */
export async function flushAll(clock: Clock, connections: Connections, giveUpAt: number): Promise<void> {
  for (const { openingReplies } of connections.peers.values()) {
    if (openingReplies !== null) await within(clock, openingReplies, giveUpAt);
  }
  for (const session of allSessions(connections)) await flushSession(clock, session, giveUpAt);
}

/** Has a last message leave on every link to an instance of ours: nothing more will be answered. */
export function sayGoodbye(connections: Connections, send: (link: Link<Session>) => void): void {
  for (const session of allSessions(connections)) {
    // Who has said so itself reads no more, and what is sent to it would only keep the socket lingering.
    if (!session.dialect.takesGoodbye || !session.usable || session.link.kind === "loopback") continue;
    send(session.link);
    session.link.flush();
  }
}
