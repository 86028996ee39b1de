import type { CancelTimer } from "../../core/mod.ts";
import type { PeerTable } from "./peer_table.ts";
import type { SharedParts } from "../shared_parts.ts";

/** What {@link Forgetting} works with. */
export interface ForgettingParts extends Pick<SharedParts, "forgetAfterMs" | "clock" | "closing"> {
  /** Everybody known. */
  readonly peers: PeerTable;
}

/** Has the table forget strangers that are gone for good, by one timer for all of them. */
export class Forgetting {
  readonly #parts: ForgettingParts;
  #cancel: CancelTimer | null = null;

  /** @param parts What it works with. */
  constructor(parts: ForgettingParts) {
    this.#parts = parts;
    parts.closing.addEventListener("abort", () => this.#cancel?.());
  }

  /** A stranger is gone for good. */
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
      // A timer may be a little early.
      if (next !== null) this.#look(Math.max(1, next + forgetAfterMs - now));
    });
  }
}
