import type { Cell } from "../cell/cell.ts";
import { Times, type TurnTimes } from "../cell/turn_meter.ts";
import { ActorChannels } from "../channels/actor_channels.ts";
import { childrenOf } from "../supervision/children.ts";

/** Counters and times of one actor; of a pool, those of its members together. */
export interface ActorMetrics {
  /** The milliseconds since its start. */
  readonly aliveMs: number;
  /** Messages, items and callbacks whose handler has ended well. */
  readonly handled: number;
  /** Those whose handler has failed. */
  readonly failed: number;
  /** How often it was restarted. */
  readonly restarts: number;
  /** Messages in the mailbox. */
  readonly queued: number;
  /** Senders that wait for room in the mailbox. */
  readonly waiting: number;
  /** Asks whose answer is deferred. */
  readonly deferred: number;
  /** Channels, those included that wait for `accept`. */
  readonly channels: number;
  /** Children. */
  readonly children: number;
  /** How long messages were in the mailbox, of some of them. */
  readonly waitMs: TurnTimes;
  /** How long handlers took, with what they waited for: of the first messages, and of one in 256 after them. */
  readonly handlerMs: TurnTimes;
  /** The same by kind and name of the message, such as `ask add`. */
  readonly messages: Readonly<Record<string, TurnTimes>>;
}

/** What is counted and measured of an actor. */
export function metricsOf(cell: Cell): ActorMetrics {
  const cells = [cell, ...cell.pool?.members() ?? []];
  const sum = (of: (one: Cell) => number): number => cells.reduce((total, one) => total + of(one), 0);
  const wait = new Times();
  const handler = new Times();
  const names = new Map<string, Times>();
  for (const { meter } of cells) {
    if (meter === null) continue;
    wait.join(meter.wait);
    handler.join(meter.handler);
    for (const [name, times] of meter.names) {
      const known = names.get(name) ?? new Times();
      known.join(times);
      names.set(name, known);
    }
  }
  return {
    aliveMs: cell.host.clock.now() - cell.madeAt,
    handled: sum(({ handled }) => handled),
    failed: sum(({ failures }) => failures),
    restarts: sum(({ restarts }) => restarts),
    queued: sum(({ mailbox }) => mailbox.size),
    waiting: sum(({ mailbox }) => mailbox.waiting),
    deferred: sum(({ replies }) => replies?.size ?? 0),
    channels: sum((one) => ActorChannels.made(one)?.list().length ?? 0),
    children: childrenOf(cell).length,
    waitMs: wait.shown,
    handlerMs: handler.shown,
    messages: Object.fromEntries([...names].map(([name, times]) => [name, times.shown])),
  };
}
