import type { TcpConnections } from "../libzmq/mod.ts";

/** Heartbeats that a dialler may leave out before its connection counts as lost. */
const missedPings = 4;

/** How long a connection may be silent whose dialler sends a heartbeat in this time. */
export function silenceBound(pingMs: number): number {
  return missedPings * pingMs;
}

/**
 * Notices that nothing arrives on an accepted connection any more, although its system still acknowledges what is sent.
 *
 * libzmq ends such a connection only if nothing has come since a heartbeat. A dialler that stops right after a message
 * would be waited for without end.
 */
export class Silence {
  #received = -1;
  #heardAt = 0;

  /**
   * Whether the connection is silent for longer than the bound.
   *
   * @param received Bytes that the kernel has received on it.
   */
  over(connections: TcpConnections, fd: number, received: number, now: number, boundMs: number): boolean {
    if (received !== this.#received) this.#heardAt = now;
    this.#received = received;
    const silentMs = now - this.#heardAt;
    if (silentMs < boundMs / 2) return false;
    if (connections.waiting(fd) === 0) return silentMs >= boundMs;
    // What this process does not read leaves no room for heartbeats.
    this.#heardAt = now;
    return false;
  }
}
