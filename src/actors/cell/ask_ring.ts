import { askCycle } from "../failures.ts";
import type { Origin, TurnCell } from "./parts.ts";

/**
 * Refuses an ask that would close a ring of handlers that wait for each other.
 *
 * The chain of asks that comes with the message covers handlers of all instances; the waits of this process's handlers
 * cover asks that began on both sides at once.
 *
 * @param asker The actor whose handler waits for the ask; null for none.
 * @throws {ZeromeshError} `ACTOR_ASK_CYCLE`.
 */
export function refuseRing(target: TurnCell, name: string, { chain }: Origin, asker: TurnCell | null): void {
  if (chain.length > 0 && target.runningTurn >= 0) {
    const at = chain.indexOf(`${target.address}#${target.runningTurn}`);
    if (at >= 0) throw askCycle(name, [...chain.slice(at).map(withoutTurn), target.address]);
  }
  if (asker === null || target.waits === null || target.waits.size === 0) return;
  const ring = pathTo(asker, target, new Set());
  if (ring !== null) throw askCycle(name, [asker.address, ...ring]);
}

/** The actors from one to another one for which it waits, directly or not; null if it does not. */
function pathTo(asker: TurnCell, from: TurnCell, seen: Set<TurnCell>): string[] | null {
  if (from === asker) return [from.address];
  seen.add(from);
  for (const { cell, deferred } of from.waits ?? []) {
    if (deferred || seen.has(cell)) continue;
    const path = pathTo(asker, cell, seen);
    if (path !== null) return [from.address, ...path];
  }
  return null;
}

function withoutTurn(entry: string): string {
  return entry.slice(0, entry.lastIndexOf("#"));
}
