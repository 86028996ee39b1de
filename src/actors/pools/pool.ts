import { Alarm, Backoff, errorText, ZeromeshError } from "../../core/mod.ts";
import type { Cell } from "../cell/cell.ts";
import type { CellPool, PoolMessageKind } from "../cell/cell_pool.ts";
import type { CellExtension } from "../cell/parts.ts";
import type { SelfContext } from "../cell/self_context.ts";
import { type ActorDefinition, type Behaviour, behaviourOf } from "../definition/behaviour.ts";
import { actorText, handlerFailed } from "../failures.ts";
import type { SpawnOptions } from "../options/spawn_options.ts";
import { type Choose, chooser, type KeyRoute } from "./pool_route.ts";

/** What a pool is made of. */
export interface PoolParts {
  readonly definition: ActorDefinition;
  readonly size: number;
  readonly route: "roundRobin" | "leastLoaded" | KeyRoute<unknown>;
  readonly backoff: { readonly firstMs: number; readonly maxMs: number };
  /** How each member is started. */
  readonly member: SpawnOptions;
  /** The actor of this system with an id. */
  readonly find: (id: string) => Cell | null;
}

const key = Symbol("pool");

/**
 * The members of a pool, which are the children of an actor that stands for it and runs no messages itself: whatever is
 * sent to that actor goes to a member's mailbox.
 */
export class Pool implements CellExtension, CellPool<Cell> {
  /** What members run from now on. */
  definition: ActorDefinition;
  previous: ActorDefinition | null = null;
  /** Members that took the place of an ended one. */
  replaced = 0;
  readonly #parts: PoolParts;
  readonly #choose: Choose;
  // Another array after each restart, so that a replacement that was on its way finds out.
  #places: (Cell | null)[];
  readonly #backoffs: Backoff[];
  readonly #alarms = new Map<number, Alarm>();
  #cell!: Cell;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    this.definition = parts.definition;
    this.#choose = chooser(parts.route);
    this.#places = new Array<Cell | null>(parts.size).fill(null);
    this.#backoffs = this.#places.map(() => new Backoff(parts.backoff));
  }

  /** Places, with those of members that are being replaced. */
  get size(): number {
    return this.#places.length;
  }

  /** The members that take messages. */
  members(): readonly Cell[] {
    return this.#places.filter((cell) => cell !== null && cell.takes) as Cell[];
  }

  /**
   * The member for a message.
   *
   * @throws {ZeromeshError} `ACTOR_STOPPED` if the pool stops or no member takes messages, `HANDLER_FAILED` if the
   * function of the key fails.
   */
  pick(kind: PoolMessageKind, name: string, input: unknown): Cell {
    let member: Cell | null;
    try {
      member = this.#cell.takes ? this.#choose(this.#places, kind, name, input) : null;
    } catch (error) {
      const { code, message } = handlerFailed(name, error);
      throw new ZeromeshError(code, `The key of "${name}" for ${this.#text} cannot be made: ${message}`, {
        handler: name,
        cause: error,
      });
    }
    if (member !== null) return member;
    throw new ZeromeshError(
      "ACTOR_STOPPED",
      `No member of ${this.#text} takes messages: the pool stops, or all of its members are being replaced`,
      { handler: name, details: { actor: this.#cell.id } },
    );
  }

  /** The definition of the actor that stands for the pool. */
  standIn(): ActorDefinition {
    const { definition } = this;
    const of = (): Behaviour => this.definition[behaviourOf];
    const behaviour: Behaviour = {
      ...of(),
      init:
        ((_args: unknown, context: SelfContext) => this.#begin(context.cell as Cell)) as Behaviour["init"],
      migrate: null,
      migrateBack: null,
      stateSchema: null,
      onStop: null,
      onChildEnd: ((_context: unknown, child: { target: string }) => this.#lost(child.target)) as never,
      supervision: undefined,
      // What a member takes, the pool takes.
      tell: (name) => of().tell(name),
      ask: (name) => of().ask(name),
      channel: (name) => of().channel(name),
    };
    return { contract: definition.contract, version: definition.version, [behaviourOf]: behaviour };
  }

  redefine(definition: ActorDefinition): void {
    if (definition === this.definition) return;
    this.previous = definition === this.previous ? null : this.definition;
    this.definition = definition;
    const cell = this.#cell;
    // Its version and contract are shown.
    cell.between(() => cell.swap(this.standIn()[behaviourOf], null)).catch(() => {});
  }

  restarting(): void {
    this.ended();
  }

  ended(): void {
    for (const alarm of this.#alarms.values()) this.#cell.host.deadlines.remove(alarm);
    this.#alarms.clear();
    this.#places = this.#places.map(() => null);
  }

  get #text(): string {
    return actorText(this.#cell);
  }

  async #begin(cell: Cell): Promise<null> {
    this.#cell = cell;
    cell.pool = cell.extension(key, () => this);
    await Promise.all(this.#places.map((_, at) => this.#start(at)));
    return null;
  }

  async #start(at: number): Promise<void> {
    const { member, find } = this.#parts;
    const places = this.#places;
    const { target } = await this.#cell.host.spawn(this.definition, member, this.#cell);
    const started = find(target);
    if (started === null) throw new ZeromeshError("ACTOR_STOPPED", `A member of ${this.#text} ended at once`);
    if (this.#cell.paused) started.pause();
    places[at] = started;
  }

  /** A member has ended: another one takes its place after a while. */
  #lost(id: string): void {
    const at = this.#places.findIndex((cell) => cell?.id === id);
    if (at >= 0) this.#replace(at);
  }

  #replace(at: number): void {
    this.#places[at] = null;
    this.#later(at, this.#backoffs[at]!.next(), () => {
      if (this.#cell.takes) void this.#fill(at);
    });
  }

  async #fill(at: number): Promise<void> {
    const places = this.#places;
    try {
      await this.#start(at);
      if (places !== this.#places) return;
      this.replaced++;
      this.#settle(at, places[at]!);
    } catch (error) {
      if (places !== this.#places || !this.#cell.takes) return;
      this.#cell.host.logger.warn("a member of a pool could not be replaced", {
        actor: this.#cell.address,
        error: errorText(error),
      });
      this.#replace(at);
    }
  }

  /** One that lives for a while was a good replacement: the next one comes soon. */
  #settle(at: number, member: Cell): void {
    this.#later(at, this.#parts.backoff.maxMs, () => {
      if (this.#places[at] === member) this.#backoffs[at]!.reset();
    });
  }

  /** Calls after a time, instead of what was to come for the place before. */
  #later(at: number, ms: number, due: () => void): void {
    const { deadlines } = this.#cell.host;
    const earlier = this.#alarms.get(at);
    if (earlier !== undefined) deadlines.remove(earlier);
    const alarm = new Alarm(() => {
      this.#alarms.delete(at);
      due();
    });
    this.#alarms.set(at, alarm);
    deadlines.add(alarm, ms);
  }
}
