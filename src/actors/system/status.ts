import type { ActorId } from "../references/address.ts";
import type { Cell } from "../cell/cell.ts";
import type { ActorPhase } from "../cell/phase.ts";
import type { CellPool } from "../cell/cell_pool.ts";
import type { ChannelStats } from "../cell/channel_counts.ts";
import type { DeadLetterReason } from "../cell/dead_letters.ts";
import type { RemoteStats } from "../routing/remote.ts";
import { childrenOf } from "../supervision/children.ts";

/** An actor, as `ActorSystem.list` shows it. */
export interface ActorStatus {
  /** The id. */
  readonly id: ActorId;
  /** The name; null without one. */
  readonly name: string | null;
  /** The address by id. */
  readonly address: string;
  /** The name of the contract. */
  readonly contract: string;
  /** The version of the definition. */
  readonly version: number;
  /** The phase of its life. */
  readonly phase: ActorPhase;
  /** Messages in the mailbox. */
  readonly queued: number;
  /** Senders that wait for room in the mailbox. */
  readonly waiting: number;
  /** Whether a handler runs. */
  readonly busy: boolean;
  /** Asks whose answer is deferred. */
  readonly deferred: number;
  /** Turns whose handler has ended well. */
  readonly handled: number;
  /** Turns whose handler has failed. */
  readonly failed: number;
  /** The text of the last failure; null without one. */
  readonly failure: string | null;
  /** How often it was restarted. */
  readonly restarts: number;
  /** The id of the actor that started it; null for none. */
  readonly parent: ActorId | null;
  /** Its members, for a pool; null for others. */
  readonly pool: PoolStatus | null;
}

/** The members of a pool. */
export interface PoolStatus {
  /** Places. */
  readonly size: number;
  /** Members that take messages. */
  readonly members: number;
  /** Members that took the place of an ended one, since the start. */
  readonly replaced: number;
}

/** An actor with the actors that it has started. */
export interface ActorTree extends ActorStatus {
  /** Its children, in the order of their start. */
  readonly children: readonly ActorTree[];
}

/** Counters of an actor system. */
export interface ActorSystemStats {
  /** Actors. */
  readonly actors: number;
  /** Actors started since the start. */
  readonly started: number;
  /** Actors that have ended since the start. */
  readonly ended: number;
  /** Actors refused at `maxActors`. */
  readonly refused: number;
  /** Messages, items and callbacks whose handler has ended well, since the start. */
  readonly handled: number;
  /** Those whose handler has failed, since the start. */
  readonly failed: number;
  /** Restarts of actors, since the start. */
  readonly restarts: number;
  /** Failures that went on to a parent because of too many restarts, since the start. */
  readonly escalations: number;
  /** Watches of actors of this system and of the code outside, since the start. */
  readonly watches: number;
  /** Updates and rollbacks refused at `maxUpdates`, since the start. */
  readonly updatesRefused: number;
  /** Asks and opens refused at `maxAskChain`. */
  readonly asksRefused: number;
  /** Dead letters by reason, since the start. */
  readonly deadLetters: Readonly<Record<DeadLetterReason, number>>;
  /** Channels. */
  readonly channels: ChannelStats;
  /** Messages between this system and other instances. */
  readonly remote: RemoteStats;
}

/** What is shown of an actor. */
export function statusOf(cell: Cell): ActorStatus {
  const { id, name, address, behaviour: { contract, version }, phase, mailbox, handled, failures } = cell;
  return {
    id,
    name,
    address,
    contract: contract.name,
    version,
    phase,
    queued: mailbox.size,
    waiting: mailbox.waiting,
    busy: cell.current !== null,
    deferred: cell.replies?.size ?? 0,
    handled,
    failed: failures,
    failure: cell.failure,
    restarts: cell.restarts,
    parent: cell.parent?.id ?? null,
    pool: cell.pool === null ? null : poolOf(cell.pool),
  };
}

function poolOf(pool: CellPool<Cell>): PoolStatus {
  return { size: pool.size, members: pool.members().length, replaced: pool.replaced };
}

/** Actors with their children. */
export function treeOf(cells: readonly Cell[]): ActorTree[] {
  return cells.map((cell) => ({ ...statusOf(cell), children: treeOf(childrenOf(cell)) }));
}
