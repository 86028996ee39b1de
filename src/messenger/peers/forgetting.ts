import { type CancelTimer, onAbort } from "../../core/mod.ts";
import type { PeerTable } from "./peer_table.ts";
import type { SharedParts } from "../shared_parts.ts";

/** The parts of {@link Forgetting}. */
export interface ForgettingParts extends Pick<SharedParts, "forgetAfterMs" | "clock" | "closing"> {
  /** The known peers. */
  readonly peers: PeerTable;
}

/** Forgets unregistered peers that are gone for good, with one timer for all. */
export class Forgetting {
  readonly #parts: ForgettingParts;
  #cancel: CancelTimer | null = null;

  /** @param parts Its parts. */
  constructor(parts: ForgettingParts) {
    this.#parts = parts;
    onAbort(parts.closing, () => this.#cancel?.());
  }

  /** An unregistered peer is gone for good. */
  begin(): void {
    const { forgetAfterMs, closing } = this.#parts;
    if (this.#cancel === null && !closing.aborted) this.#look(forgetAfterMs);
  }

  #look(afterMs: number): void {
    const { peers, clock, forgetAfterMs } = this.#parts;
    this.#cancel = clock.after(afterMs, () => {
      this.#cancel = null;
      const now = clock.now();
      const next = peers.forgetLeft(now - forgetAfterMs);
      // The timer may fire a little early.
      if (next !== null) this.#look(Math.max(1, next + forgetAfterMs - now));
    });
  }
}
