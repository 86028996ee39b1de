import { hold, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { PeerDirectory } from "../messenger/mod.ts";
import type { InstanceHealth } from "./instance_health.ts";

/** How long a call waits for one instance before it turns to another one, in milliseconds. */
export const patienceMs = 250;
/** The most instances that are connected to at a time, for calls to services. */
export const mostReaches = 64;

/** How to reach an instance. */
export interface ReachOptions {
  /** How long to try. */
  readonly timeoutMs: number;
  /** Whether to leave it at finding out where the instance is, if that is not on this host. */
  readonly nearOnly: boolean;
}

/** Attempts to connect to instances, each shared by all calls that want it. They outlive the calls. */
export class Reaches {
  readonly #peers: PeerDirectory;
  readonly #onEnd: () => void;
  readonly #open = new Map<InstanceId, Promise<void>>();
  readonly #closing = new AbortController();

  /** @param onEnd Called when an attempt has ended. */
  constructor(peers: PeerDirectory, onEnd: () => void) {
    this.#peers = peers;
    this.#onEnd = onEnd;
  }

  /** How many are under way. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether an instance is being connected to. */
  has(id: InstanceId): boolean {
    return this.#open.has(id);
  }

  /**
   * Joins or begins an attempt. What becomes of it is written to the instance's health.
   *
   * @returns What resolves when it has ended or the instance is late; null when too many are under way.
   */
  begin(id: InstanceId, health: InstanceHealth, options: ReachOptions): Promise<void> | null {
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    if (this.#open.size >= mostReaches) return null;
    const reached = this.#reach(id, options).then(
      () => {
        if (this.#peers.standing(id) === "up") health.arrived();
        else health.late = false;
      },
      (error: unknown) => health.unreachable(error, this.#peers.clock.now()),
    ).finally(() => {
      this.#open.delete(id);
      this.#onEnd();
    });
    const patient = this.#hold(reached, patienceMs).catch(() => void (health.late = true));
    this.#open.set(id, patient);
    return patient;
  }

  /** Starts no timer any more. */
  close(): void {
    this.#closing.abort();
  }

  async #reach(id: InstanceId, { timeoutMs, nearOnly }: ReachOptions): Promise<void> {
    const peers = this.#peers;
    const startedAt = peers.clock.now();
    await this.#find(id, timeoutMs);
    if (nearOnly && peers.isLocal(id) === false) return;
    await peers.reach(id, Math.max(1, timeoutMs - (peers.clock.now() - startedAt)));
  }

  /** Discovery may take longer than anybody waits. */
  async #find(id: InstanceId, timeoutMs: number): Promise<void> {
    await this.#hold(this.#peers.find(id), timeoutMs, () => {
      const message = `Discovery does not tell within ${Math.round(timeoutMs)} ms where ${id} is`;
      return new ZeromeshError("PEER_UNREACHABLE", message, { peer: id });
    });
  }

  #hold<T>(promise: Promise<T>, timeoutMs: number, late?: () => Error): Promise<T> {
    return hold(promise, { clock: this.#peers.clock, timeoutMs, signal: this.#closing.signal, late });
  }
}
