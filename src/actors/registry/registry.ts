import { ZeromeshError } from "../../core/mod.ts";
import type { ActorId } from "../references/address.ts";
import type { Cell } from "../cell/cell.ts";

/** The actors of a system, by id and by name. */
export class Registry {
  readonly #byId = new Map<ActorId, Cell>();
  readonly #byName = new Map<string, Cell>();
  readonly #max: number;
  #refused = 0;

  /** @param max The most actors. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Actors. */
  get size(): number {
    return this.#byId.size;
  }

  /** Actors refused at the limit. */
  get refused(): number {
    return this.#refused;
  }

  /** All actors, in the order of their start. */
  cells(): Iterable<Cell> {
    return this.#byId.values();
  }

  /** The actor with an id or a name; null without one. */
  find(target: string): Cell | null {
    return this.#byId.get(target as ActorId) ?? this.#byName.get(target) ?? null;
  }

  /** The actor that has a name; null without one. */
  holder(name: string): Cell | null {
    return this.#byName.get(name) ?? null;
  }

  /**
   * Adds an actor, with its name unless it will replace the actor that has it.
   *
   * @throws {ZeromeshError} `ACTOR_EXISTS`, `LIMIT_REACHED`; nothing is added then.
   */
  add(cell: Cell, replaces: boolean): void {
    const { id, name } = cell;
    if (this.#byId.has(id)) {
      throw new ZeromeshError("ACTOR_EXISTS", `Cannot start an actor: the id ${id} is taken`);
    }
    const holder = name === null ? undefined : this.#byName.get(name);
    if (holder !== undefined && !replaces) {
      throw new ZeromeshError(
        "ACTOR_EXISTS",
        `Cannot start actor "${name}": actor ${holder.id} has the name; replace: true stops it and takes the name`,
      );
    }
    if (this.#byId.size >= this.#max) {
      this.#refused++;
      throw new ZeromeshError("LIMIT_REACHED", `Cannot start an actor: there are maxActors (${this.#max})`);
    }
    this.#byId.set(id, cell);
    if (name !== null && holder === undefined) this.#byName.set(name, cell);
  }

  /** Gives an actor its name. Returns the actor that had it; null without one. */
  takeName(cell: Cell): Cell | null {
    if (cell.name === null) return null;
    const holder = this.#byName.get(cell.name) ?? null;
    this.#byName.set(cell.name, cell);
    return holder === cell ? null : holder;
  }

  /** Takes an actor out. */
  remove(cell: Cell): void {
    const { id, name } = cell;
    if (this.#byId.get(id) === cell) this.#byId.delete(id);
    if (name !== null && this.#byName.get(name) === cell) this.#byName.delete(name);
  }
}
