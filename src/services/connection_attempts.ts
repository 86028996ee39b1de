import { hold, type InstanceId, ZeromeshError } from "../core/mod.ts";
import type { PeerDirectory } from "../messenger/mod.ts";
import type { InstanceHealth } from "./instance_health.ts";

/** How long a call waits for one instance before it tries another one, in milliseconds. */
export const patienceMs = 250;
/** The most concurrent attempts to connect, for calls to services. */
export const maxConnectionAttempts = 64;

/** Options of an attempt. */
export interface ConnectionAttemptOptions {
  /** Timeout in milliseconds. */
  readonly timeoutMs: number;
  /** Whether to look the address up only and connect just to an instance on this host. */
  readonly nearOnly: boolean;
}

/** Attempts to connect to instances. All calls that want an instance share one, and it outlives them. */
export class ConnectionAttempts {
  readonly #peers: PeerDirectory;
  readonly #onEnd: () => void;
  readonly #open = new Map<InstanceId, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(peers: PeerDirectory, onEnd: () => void) {
    this.#peers = peers;
    this.#onEnd = onEnd;
  }

  /** Attempts under way. */
  get size(): number {
    return this.#open.size;
  }

  /** Whether an attempt for this instance is under way. */
  has(id: InstanceId): boolean {
    return this.#open.has(id);
  }

  /**
   * Joins or starts an attempt. The instance's health records its outcome.
   *
   * @returns A promise that resolves when it has ended or the instance is late; null at the limit.
   */
  begin(id: InstanceId, health: InstanceHealth, options: ConnectionAttemptOptions): Promise<void> | null {
    const open = this.#open.get(id);
    if (open !== undefined) return open;
    if (this.#open.size >= maxConnectionAttempts) return null;
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

  /** Cancels all timers. */
  close(): void {
    this.#closing.abort();
  }

  async #reach(id: InstanceId, { timeoutMs, nearOnly }: ConnectionAttemptOptions): Promise<void> {
    const peers = this.#peers;
    const startedAt = peers.clock.now();
    // The lookup may take longer than the call waits.
    await this.#hold(peers.find(id), timeoutMs, () => {
      const message = `Discovery does not tell within ${Math.round(timeoutMs)} ms where ${id} is`;
      return new ZeromeshError("PEER_UNREACHABLE", message, { peer: id });
    });
    if (nearOnly && peers.isLocal(id) === false) return;
    await peers.reach(id, Math.max(1, timeoutMs - (peers.clock.now() - startedAt)));
  }

  #hold<T>(promise: Promise<T>, timeoutMs: number, late?: () => Error): Promise<T> {
    return hold(promise, { clock: this.#peers.clock, timeoutMs, signal: this.#closing.signal, late });
  }
}
