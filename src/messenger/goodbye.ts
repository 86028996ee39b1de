import type { Clock } from "../core/mod.ts";
import type { Link } from "../transport/mod.ts";
import { flushSession, within } from "./calls/flushing.ts";
import type { Connections } from "./peers/connections.ts";
import type { Session } from "./peers/peer.ts";

/** All connections, the loopback one first. */
export function* allSessions(connections: Connections): IterableIterator<Session> {
  yield connections.self;
  for (const peer of connections.peers.values()) yield* peer.sessions();
}

/** Waits until libzmq has all messages of all connections, with those dialled for answers. */
export async function flushAll(clock: Clock, connections: Connections, giveUpAt: number): Promise<void> {
  for (const { openingReplies } of connections.peers.values()) {
    if (openingReplies !== null) await within(clock, openingReplies, giveUpAt);
  }
  for (const session of allSessions(connections)) await flushSession(clock, session, giveUpAt);
}

/** Sends a last message on every link to a zeromesh instance: no more answers will follow. */
export function sayGoodbye(connections: Connections, send: (link: Link<Session>) => void): void {
  for (const session of allSessions(connections)) {
    // A peer that has said goodbye reads no more, and a message to it would only keep the socket lingering.
    if (!session.dialect.takesGoodbye || !session.usable || session.link.kind === "loopback") continue;
    send(session.link);
    session.link.flush();
  }
}
