import { ZeromeshError } from "../core/mod.ts";
import type { RankMode } from "./options.ts";

/** The ranks of a cohort. They are contiguous from 0, and all workers have one or none has. */
export class RankBook {
  readonly #size: number | undefined;
  readonly #most: number;
  readonly #taken = new Set<number>();
  readonly #configured: RankMode;
  #mode: RankMode;

  /**
   * @param size The number of workers; undefined where they come and go.
   * @param most The most workers, and so the limit of ranks.
   */
  constructor(mode: RankMode, size: number | undefined, most: number) {
    this.#configured = this.#mode = mode;
    this.#size = size;
    this.#most = most;
  }

  /** Whether workers have ranks; null before the first one. */
  get ranked(): boolean | null {
    return this.#mode === "first" ? null : this.#mode !== "none";
  }

  /**
   * Checks whether a newcomer may claim a rank, or none.
   *
   * @throws {ZeromeshError} `RANK_REQUIRED`, `RANK_UNEXPECTED`.
   */
  check(claimed: number | null): void {
    if (this.#mode === "claimed" && claimed === null) {
      throw new ZeromeshError(
        "RANK_REQUIRED",
        "Workers of this cohort claim their ranks, and this one claimed none; join with a rank",
      );
    }
    if (this.#mode === "none" && claimed !== null) {
      throw new ZeromeshError(
        "RANK_UNEXPECTED",
        `Workers of this cohort have no ranks, and this one claims ${claimed}; join without a rank`,
      );
    }
  }

  /**
   * Gives a newcomer its rank.
   *
   * @param claimed The claimed rank, or null.
   * @throws {ZeromeshError} As {@link check}; `RANK_TAKEN`, `RANK_INVALID`.
   */
  take(claimed: number | null): number | null {
    this.check(claimed);
    const mode = this.#mode === "first" ? claimed === null ? "none" : "claimed" : this.#mode;
    let rank = claimed;
    if (mode === "assigned" && rank === null) rank = this.#lowestFree();
    if (rank !== null) {
      if (rank >= this.#most) {
        throw new ZeromeshError(
          "RANK_INVALID",
          `Rank ${rank} is out of range: the cohort has ${this.#most} workers${
            this.#size === undefined ? " at most" : ""
          }`,
        );
      }
      if (this.#taken.has(rank)) {
        throw new ZeromeshError("RANK_TAKEN", `Rank ${rank} belongs to another worker; claim another one`);
      }
      this.#taken.add(rank);
    }
    this.#mode = mode;
    return rank;
  }

  /** Frees a rank. */
  free(rank: number | null): void {
    if (rank !== null) this.#taken.delete(rank);
  }

  /** No workers are left: the next worker is the first one again. */
  reset(): void {
    this.#mode = this.#configured;
  }

  /** Vacant ranks below the highest taken one, or below the cohort's size. */
  missing(): number[] {
    if (this.ranked !== true) return [];
    const end = this.#size ?? Math.max(-1, ...this.#taken) + 1;
    return Array.from({ length: end }, (_, rank) => rank).filter((rank) => !this.#taken.has(rank));
  }

  #lowestFree(): number {
    for (let rank = 0;; rank++) if (!this.#taken.has(rank)) return rank;
  }
}
