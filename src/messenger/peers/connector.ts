import type { InstanceId } from "../../core/mod.ts";
import { formatEndpoint, parseEndpoint } from "../../transport/mod.ts";
import { encodeHello, type PeerInfo } from "../../wire/mod.ts";
import type { Dialler } from "./dialler.ts";
import { elapsedMs } from "../calls/elapsed.ts";
import { helloFailure, requireKey } from "./link_errors.ts";
import type { PeerTable } from "./peer_table.ts";
import type { Peer, Session } from "./peer.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of a {@link Connector}. */
export interface ConnectorParts extends SharedParts {
  /** The known peers. */
  readonly peers: PeerTable;
  /** The dialler. */
  readonly dialler: Dialler;
  /** Address and id of this instance. */
  peerInfo(): PeerInfo;
}

/** Implements `connect()`. */
export class Connector {
  readonly #parts: ConnectorParts;

  /** @param parts Its parts. */
  constructor(parts: ConnectorParts) {
    this.#parts = parts;
  }

  /** Dials an endpoint, or asks again over an existing connection, until an instance answers. Resolves to its id. */
  async connect(
    endpoint: string,
    serverKey: string | null,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<InstanceId> {
    signal?.throwIfAborted();
    // Checked before the key, so that an invalid endpoint is reported first.
    const where = formatEndpoint(parseEndpoint(endpoint, "dial"));
    const { transport } = this.#parts;
    // Between two attempts, and while a name is resolved, no socket keeps the process alive.
    transport.ref();
    try {
      return await this.#connect(where, serverKey, timeoutMs, signal);
    } finally {
      transport.unref();
    }
  }

  async #connect(
    where: string,
    serverKey: string | null,
    timeoutMs: number,
    signal: AbortSignal | undefined,
  ): Promise<InstanceId> {
    const { clock, instanceId } = this.#parts;
    const startedAt = clock.now();
    for (const peer of this.#parts.peers.values()) {
      const known = peer.dialled;
      if (known === null || !known.usable || known.link.endpoint !== where) continue;
      if (await this.#greetAgain(known, peer, timeoutMs, signal)) return peer.instanceId;
    }
    const target = {
      endpoints: [where],
      expected: null,
      serverKey: requireKey(where, serverKey, this.#parts.secure),
      met: false,
      limit: null,
    };
    const session = await this.#parts.dialler.reach(target, timeoutMs, signal, startedAt);
    if (session.link.kind === "loopback") return instanceId;
    const peer = session.peer!;
    peer.given = where;
    // The peer may have dropped this connection for another one.
    const other = session.link.endpoint !== where;
    if (other) await this.#greetAgain(session, peer, timeoutMs, signal, clock.now() - startedAt);
    return peer.instanceId;
  }

  /**
   * Says `_hello` again over a connection: the other end may have dropped it, or be frozen.
   *
   * @returns False when the connection ended meanwhile.
   */
  async #greetAgain(
    session: Session,
    peer: Peer,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    spent = 0,
  ): Promise<boolean> {
    const { negotiation, transport } = this.#parts;
    const payload = encodeHello({ peerInfo: this.#parts.peerInfo(), negotiation });
    try {
      await this.#parts.call("_hello", peer.instanceId, {
        payload,
        session,
        timeoutMs,
        signal,
        [elapsedMs]: spent,
      });
      return true;
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (!session.usable) return false;
      throw helloFailure(session.link, error, timeoutMs, transport.endpoints.length > 0);
    }
  }
}
