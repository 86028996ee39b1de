import { askChain, askCycle } from "../failures.ts";
import type { Origin, TurnCell } from "./parts.ts";

/**
 * Refuses an ask that would close a ring of handlers that wait for each other.
 *
 * The chain of asks that comes with the message covers handlers of all instances; the waits of this process's handlers
 * cover asks that began on both sides at once. Those that began at once on several instances are found by probes.
 *
 * @param asker The actor whose handler waits for the ask; null for none.
 * @throws {ZeromeshError} `ACTOR_ASK_CYCLE`; `LIMIT_REACHED` if the chain has more handlers than `maxAskChain`.
 */
export function refuseRing(target: TurnCell, name: string, { chain }: Origin, asker: TurnCell | null): void {
  const { host } = target;
  if (chain.length > host.options.maxAskChain) {
    host.asksRefused++;
    throw askChain(name, host.options.maxAskChain);
  }
  if (chain.length > 0 && target.runningTurn >= 0) {
    const at = chain.indexOf(`${target.address}#${target.runningTurn}`);
    if (at >= 0) throw askCycle(name, [...chain.slice(at).map(withoutTurn), target.address]);
  }
  if (asker === null || target.waits === null || target.waits.size === 0) return;
  const ring = pathTo(asker, target);
  if (ring !== null) throw askCycle(name, [asker.address, ...ring]);
}

// A search ends after so many asks that are waited for; the ring, if there is one, ends by a deadline.
const mostSteps = 4_096;

/** The actors from one to another one for which it waits, directly or not; null if it does not. */
function pathTo(asker: TurnCell, from: TurnCell): string[] | null {
  // Each actor that was met, with the one that waits for it.
  const met = new Map<TurnCell, TurnCell | null>([[from, null]]);
  let steps = 0;
  // A map gives also those that are added meanwhile.
  for (const cell of met.keys()) {
    if (cell === asker) return pathOf(cell, met);
    for (const waited of cell.waits ?? []) {
      if (++steps > mostSteps) return null;
      const next = waited.cell;
      if (next !== null && !waited.deferred && !met.has(next)) met.set(next, cell);
    }
  }
  return null;
}

function pathOf(last: TurnCell, met: ReadonlyMap<TurnCell, TurnCell | null>): string[] {
  const path: string[] = [];
  for (let at: TurnCell | null = last; at !== null; at = met.get(at) ?? null) path.push(at.address);
  return path.reverse();
}

/** The address in a link of a chain. */
export function withoutTurn(link: string): string {
  return link.slice(0, link.lastIndexOf("#"));
}
