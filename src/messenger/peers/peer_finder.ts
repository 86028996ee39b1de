import { errorText, type InstanceId, type WorkerId, workerIdOf, ZeromeshError } from "../../core/mod.ts";
import type { PeerInfo } from "../../wire/mod.ts";
import type { PeerTable } from "./peer_table.ts";
import type { Peer } from "./peer.ts";
import type { PeerLookup } from "../discovery_port.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of a {@link PeerFinder}. */
export interface PeerFinderParts extends Pick<SharedParts, "clock"> {
  /** The known peers. */
  readonly peers: PeerTable;
  /** The lookup; null without discovery. */
  readonly lookup: PeerLookup | null;
  /** Registers a peer. */
  readonly register: (info: PeerInfo) => void;
}

/** How long a found peer may be unreachable before its entry counts as stale. */
export const heartbeatBoundMs = 4_000;

/** Finds unknown peers, once for concurrent callers, and forgets found ones whose entries are stale. */
export class PeerFinder {
  readonly #parts: PeerFinderParts;
  readonly #searches = new Map<InstanceId | WorkerId, Promise<Peer>>();
  /** Found peers that are unreachable, and since when. */
  readonly #missing = new Map<Peer, number>();

  /** @param parts Its parts. */
  constructor(parts: PeerFinderParts) {
    this.#parts = parts;
  }

  /** Whether unknown peers can be looked up. */
  get able(): boolean {
    return this.#parts.lookup !== null;
  }

  /**
   * A peer, looked up if it is unknown.
   *
   * @throws {ZeromeshError} `PEER_UNKNOWN`; `PEER_UNREACHABLE` when discovery itself fails.
   */
  find(id: InstanceId): Promise<Peer> {
    const known = this.#parts.peers.get(id);
    if (known !== undefined) return Promise.resolve(known);
    return this.#once(id, (lookup) => lookup.lookup(id), (info) => info.instanceId === id);
  }

  /** The same by worker id. */
  findWorker(id: WorkerId): Promise<Peer> {
    const known = this.#parts.peers.byWorkerId(id);
    if (known !== undefined) return Promise.resolve(known);
    return this.#once(id, (lookup) => lookup.lookupWorker(id), (info) => workerIdOf(info.instanceId) === id);
  }

  /** How long to redial a lost peer; a found one is looked up again soon instead. */
  redialForMs(peer: Peer, redialForMs: number): number {
    return peer.found ? Math.min(redialForMs, heartbeatBoundMs) : redialForMs;
  }

  /** Notes the start of an attempt to connect. */
  dialling(peer: Peer): void {
    if (peer.found && !this.#missing.has(peer)) this.#missing.set(peer, this.#parts.clock.now());
  }

  /** Notes the end of an attempt. A stale peer is forgotten, so that the next call looks again. */
  dialled(peer: Peer, error: unknown): void {
    const since = this.#missing.get(peer);
    if (since === undefined) return;
    const code = error instanceof ZeromeshError ? error.code : null;
    const replaced = code === "PEER_REPLACED" || code === "IDENTITY_MISMATCH";
    // The attempt itself took a part of the bound.
    const overdue = this.#parts.clock.now() - since >= heartbeatBoundMs - 100;
    if (code === "PEER_UNREACHABLE" && !overdue) return;
    this.#missing.delete(peer);
    if (!replaced && code !== "PEER_UNREACHABLE") return;
    const { peers, lookup } = this.#parts;
    if (peers.get(peer.instanceId) === peer && peer.sessions().length === 0) peers.remove(peer);
    lookup?.stale(peer.instanceId, replaced ? "replaced" : "unreachable");
  }

  #once(id: InstanceId | WorkerId, ask: Ask, fits: (info: PeerInfo) => boolean): Promise<Peer> {
    let search = this.#searches.get(id);
    if (search === undefined) {
      search = this.#search(id, ask, fits).finally(() => this.#searches.delete(id));
      this.#searches.set(id, search);
    }
    return search;
  }

  async #search(id: InstanceId | WorkerId, ask: Ask, fits: (info: PeerInfo) => boolean): Promise<Peer> {
    const { peers, lookup, register } = this.#parts;
    const whom = `${typeof id === "bigint" ? "worker" : "peer"} ${id}`;
    const details = typeof id === "bigint" ? {} : { peer: id };
    let info: PeerInfo | null;
    try {
      info = lookup === null ? null : await ask(lookup);
    } catch (error) {
      throw new ZeromeshError("PEER_UNREACHABLE", `Cannot find out where ${whom} is: ${errorText(error)}`, {
        ...details,
        cause: error,
      });
    }
    const met = typeof id === "bigint" ? peers.byWorkerId(id) : peers.get(id);
    if (met !== undefined) return met;
    if (info === null || !fits(info)) {
      throw new ZeromeshError(
        "PEER_UNKNOWN",
        `This instance knows no ${whom}, and discovery does not find it`,
        details,
      );
    }
    register(info);
    const peer = peers.know(info.instanceId);
    peer.found = true;
    return peer;
  }
}

type Ask = (lookup: PeerLookup) => Promise<PeerInfo | null>;
