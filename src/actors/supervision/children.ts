import { ZeromeshError } from "../../core/mod.ts";
import { CallTurn } from "../cell/call_turn.ts";
import type { Cell } from "../cell/cell.ts";
import type { CellExtension, Sender, TurnCell } from "../cell/parts.ts";
import { bytesContract } from "../contract/contract.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import { actorText, stopped } from "../failures.ts";
import type { RestartStrategy } from "../options/supervision_options.ts";

const key = Symbol("children");

/**
 * Adds an actor to its parent's children, before its `init`.
 *
 * @throws {ZeromeshError} `LIMIT_REACHED` at `maxChildren`, `ACTOR_STOPPED`.
 */
export function adopt(parent: Cell, child: Cell): void {
  if (!parent.takes) throw stopped(parent);
  const children = parent.extension(key, () => new Children());
  const { maxChildren } = parent.host.options;
  if (children.cells.size >= maxChildren) {
    throw new ZeromeshError(
      "LIMIT_REACHED",
      `Cannot start a child: ${actorText(parent)} has maxChildren (${maxChildren})`,
    );
  }
  children.cells.add(child);
}

/** The children of an actor, in the order of their start. */
export function childrenOf(parent: TurnCell): readonly Cell[] {
  return [...(parent.extensionOf(key) as Children | undefined)?.cells ?? []];
}

/** The children that are restarted when one of them is, in the order of their start. */
export function groupOf(child: Cell, strategy: RestartStrategy): readonly Cell[] {
  if (child.parent === null || strategy === "oneForOne") return [child];
  const children = childrenOf(child.parent);
  const group = strategy === "oneForAll" ? children : children.slice(children.indexOf(child));
  // One that is still in its first init has no state to lose.
  return group.filter((one) => one === child || (one.begun && one.takes));
}

/** An actor has ended: its parent is told, unless it ends the child itself, or its spawn has failed. */
export function leaveParent(child: Cell, end: ActorEnd): void {
  const { parent } = child;
  const children = parent?.extensionOf(key) as Children | undefined;
  if (parent === null || children?.cells.delete(child) !== true) return;
  if (!child.begun || !parent.takes || children.leaving || parent.behaviour.onChildEnd === null) return;
  const tell = (context: Sender): unknown =>
    (parent.behaviour.onChildEnd as ((...given: unknown[]) => unknown) | null)?.(
      context,
      parent.host.refTo(bytesContract, child.address, context),
      end,
    );
  parent.push(new CallTurn(parent.host.outside, tell, "onChildEnd"));
}

/** The children of one actor. They stop with it, and before it is restarted. */
class Children implements CellExtension {
  readonly cells = new Set<Cell>();
  /** Whether the parent ends them. */
  leaving = false;

  async stopping(leftMs: number): Promise<void> {
    await Promise.all([...this.cells].map((child) => child.stop({ reason: "stopped" }, leftMs)));
  }

  async restarting(leftMs: number): Promise<void> {
    this.leaving = true;
    try {
      await this.stopping(leftMs);
    } finally {
      this.ended();
      this.leaving = false;
    }
  }

  ended(): void {
    for (const child of [...this.cells]) child.terminate();
  }
}
