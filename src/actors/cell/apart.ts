import type { TurnCell } from "./parts.ts";
import { SelfContext } from "./self_context.ts";

/** An actor whose `init` or `onStop` can run. */
export interface ApartCell extends TurnCell {
  turnNumber: number;
  /** The number of the run of `init` or `onStop`; -1 while none runs. */
  apart: number;
}

/**
 * Runs `init` or `onStop`, which are no turns: no message runs meanwhile. Its context is known to wait as long as it
 * runs, so that an ask of it can be part of a ring.
 */
export async function runApart<T>(
  cell: ApartCell,
  run: (context: SelfContext) => T | Promise<T>,
): Promise<T> {
  const number = cell.apart = ++cell.turnNumber;
  try {
    return await run(new SelfContext(cell, number));
  } finally {
    if (cell.apart === number) {
      cell.apart = -1;
      cell.waits = null;
    }
  }
}
