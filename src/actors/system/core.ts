import {
  Broadcast,
  type Clock,
  Deadlines,
  errorText,
  type InstanceId,
  type Logger,
  ZeromeshError,
} from "../../core/mod.ts";
import type { HandlerTrace, SystemPort } from "../../messenger/mod.ts";
import { Holding } from "../cell/holding.ts";
import { type ActorAddress, type ActorId, parseAddress } from "../references/address.ts";
import { ActorEvents } from "../cell/actor_events.ts";
import type { Cell } from "../cell/cell.ts";
import type { CellHost, Origin, Sender, Turn, TurnCell } from "../cell/parts.ts";
import { Scheduler } from "../cell/scheduler.ts";
import { plainOrigin } from "../cell/origin.ts";
import type { ActorChannel, OpenOptions } from "../references/actor_channel.ts";
import { SystemChannels } from "../channels/system_channels.ts";
import { type ActorContract, bytesContract } from "../contract/contract.ts";
import { DeadLetters } from "../cell/dead_letters.ts";
import type { ActorDefinition } from "../definition/behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { ResolvedSystemOptions } from "../options/system_options.ts";
import { makeRef, Reference } from "../routing/reference.ts";
import type { ActorRef, AskOptions, TellOptions } from "../references/actor_ref.ts";
import { Registry } from "../registry/registry.ts";
import { systemAt } from "../remote/client.ts";
import type { Remote, RemoteCounts } from "../routing/remote.ts";
import { RemoteActors } from "../remote/remote_actors.ts";
import { SystemRouter } from "../routing/router.ts";
import { spawnCell } from "../registry/spawning.ts";
import type { SpawnOptions } from "../options/spawn_options.ts";
import { adopt, childrenOf, leaveParent } from "../supervision/children.ts";
import { Supervisor } from "../supervision/supervisor.ts";
import { type EndCall, Watches } from "../supervision/watches.ts";
import { startTimer, type TimerCall } from "../timers/timers.ts";
import { Updates } from "../update/updates.ts";

/** An actor that was added or taken out. */
export interface Registration {
  /** Tag of the union. */
  readonly type: "registered" | "unregistered";
  /** The actor's id. */
  readonly id: ActorId;
  /** Its name; null without one. */
  readonly name: string | null;
  /** The name of its contract. */
  readonly contract: string;
  /** Why it ended, for `unregistered`. */
  readonly end?: ActorEnd;
}

/** What a system is made of. */
export interface SystemParts {
  readonly instanceId: InstanceId;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: ResolvedSystemOptions;
  /** The messenger; null without one. */
  readonly port: SystemPort | null;
  /** How a messenger keeps the process alive; null without a messenger. */
  readonly hold: (() => Disposable) | null;
}

/** A system without its public methods: it joins the parts, and is their host. */
export class SystemCore implements CellHost {
  readonly instanceId: InstanceId;
  readonly port: SystemPort | null;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly options: ResolvedSystemOptions;
  readonly deadlines: Deadlines;
  readonly scheduler: Scheduler;
  readonly holding: Holding;
  readonly deadLetters = new DeadLetters();
  readonly events: ActorEvents;
  readonly channels = new SystemChannels();
  readonly registry: Registry;
  readonly registrations = new Broadcast<Registration>();
  readonly outside: Origin;
  readonly router: SystemRouter;
  readonly supervisor: Supervisor;
  readonly watches: Watches;
  /** The way to other instances; null in a system of one process. */
  remote: Remote | null = null;
  /** The error of whatever comes after the end; null before. */
  closed: ZeromeshError | null = null;
  readonly turns = { handled: 0, failed: 0 };
  updatesRefused = 0;
  asksRefused = 0;
  /** Messages to and from other instances. */
  readonly remoteCounts: RemoteCounts = { sent: 0, received: 0, probes: 0 };
  /** Actors started, and ended, since the start. */
  started = 0;
  endedCount = 0;

  constructor({ instanceId, port, clock, logger, options, hold }: SystemParts) {
    this.port = port;
    this.instanceId = instanceId;
    this.clock = clock;
    this.logger = logger;
    this.options = options;
    this.deadlines = new Deadlines(clock);
    this.events = new ActorEvents(clock);
    this.scheduler = new Scheduler(clock);
    this.holding = new Holding(hold);
    this.registry = new Registry(options.maxActors);
    this.outside = Object.freeze(plainOrigin(instanceId));
    this.router = new SystemRouter(this);
    this.supervisor = new Supervisor(this);
    this.watches = new Watches(this);
  }

  /**
   * Lets other instances reach the actors, and the actors other instances.
   *
   * @throws {ZeromeshError} `HANDLER_EXISTS` if the messenger has a system.
   */
  connect(port: SystemPort): void {
    this.remote = new RemoteActors({
      port,
      router: this.router,
      counts: this.remoteCounts,
      deadlines: this.deadlines,
      options: this.options,
      channelCounts: this.channels.counts,
    });
    systemAt(port, this);
  }

  refTo<C extends ActorContract>(
    contract: C,
    address: string | ActorAddress,
    sender: Sender | null,
  ): ActorRef<C> {
    return makeRef(this.router, contract, address, sender);
  }

  tell(
    ref: ActorAddress,
    name: string,
    input: unknown,
    options: TellOptions | undefined,
    sender: Sender | null,
  ): Promise<void> {
    return this.router.tell(this.#own(ref), name, input, options, sender);
  }

  ask(
    ref: ActorAddress,
    name: string,
    input: unknown,
    options: AskOptions | undefined,
    sender: Sender | null,
  ): Promise<unknown> {
    return this.router.ask(this.#own(ref), name, input, options, sender);
  }

  open(
    ref: ActorAddress,
    name: string,
    first: unknown,
    options: OpenOptions | undefined,
    sender: Sender | null,
  ): Promise<ActorChannel> {
    return this.router.open(this.#own(ref), name, first, options, sender);
  }

  async spawn(
    definition: ActorDefinition,
    options: SpawnOptions | undefined,
    parent: TurnCell | null,
    waits = false,
  ): Promise<ActorRef> {
    if (this.closed !== null) throw this.closed;
    const cell = await this.#start(definition, options, parent as Cell | null, waits);
    const ref = this.refTo(
      definition.contract,
      { target: cell.id, instance: this.instanceId } as never,
      null,
    );
    return ref;
  }

  async #start(
    definition: ActorDefinition,
    options: SpawnOptions | undefined,
    parent: Cell | null,
    waits: boolean,
  ): Promise<Cell> {
    const { registry } = this;
    const started = (cell: Cell): void => {
      cell.announced = true;
      this.started++;
      this.registrations.publish({ type: "registered", ...described(cell) });
      const { contract: { name: contract }, version } = cell.behaviour;
      this.events.publish(cell, { type: "started", contract, version });
    };
    const parts = { host: this, registry, parent, started };
    if (parent === null) return await spawnCell(parts, definition, options);
    const waited: { cell: Cell; deferred: boolean }[] = [];
    const prepare = (cell: Cell): void => {
      adopt(parent, cell);
      // An ask of its init to the parent would never be answered while the parent's handler waits for it.
      waited.push({ cell, deferred: false });
      if (waits) (parent.waits ??= new Set()).add(waited[0]!);
    };
    try {
      return await spawnCell({ ...parts, prepare }, definition, options);
    } finally {
      for (const one of waited) parent.waits?.delete(one);
    }
  }

  children(cell: TurnCell): readonly Cell[] {
    return childrenOf(cell);
  }

  watch(
    ref: ActorAddress,
    cell: TurnCell | null,
    ended: EndCall,
    within: HandlerTrace | null = null,
  ): Disposable {
    if (this.closed !== null) throw this.closed;
    return this.watches.start(ref, cell, ended, within);
  }

  find(target: string): Cell | null {
    return this.registry.find(target);
  }

  watchRemote(
    ref: ActorAddress,
    ended: (end: ActorEnd) => void,
    within: HandlerTrace | null,
  ): Disposable {
    return this.router.remoteFor(ref).watch(ref.instance, ref.target, ended, within);
  }

  timer(cell: TurnCell, ms: number, run: TimerCall, repeats: boolean): Disposable {
    return startTimer(cell, ms, run, repeats);
  }

  handlerFailed(cell: TurnCell, turn: Turn, error: unknown): void {
    this.events.publish(cell, { type: "handlerFailed", handler: turn.name, error: errorText(error) });
    if (Updates.made(cell)?.failed(error) !== true) this.supervisor.failed(cell as Cell, turn.name, error);
  }

  suspectRing(cell: TurnCell): void {
    this.remote?.suspectRing(cell);
  }

  ended(cell: TurnCell, end: ActorEnd): void {
    this.registry.remove(cell as Cell);
    leaveParent(cell as Cell, end);
    // A failed start was nobody's actor.
    if (!(cell as Cell).announced) return;
    this.endedCount++;
    this.events.publish(cell, { type: "ended", end });
    this.registrations.publish({ type: "unregistered", ...described(cell), end });
  }

  /** The actor with an id, name or address. @throws {ZeromeshError} `ACTOR_NOT_FOUND`. */
  cellOf(target: string | ActorAddress): Cell {
    const own = this.targetOf(target);
    if (own !== null) return this.router.find(own);
    throw new ZeromeshError("ACTOR_NOT_FOUND", `${String(target)} is no actor of this system`);
  }

  /** The id or name in this system; null for an address of another one. */
  targetOf(target: string | ActorAddress): string | null {
    if (typeof target === "string" && !target.includes("@")) return target;
    const { target: own, instance } = typeof target === "string" ? parseAddress(target) : target;
    return instance === this.instanceId ? own : null;
  }

  /** A reference of this system, whatever system the given one belongs to. */
  #own(ref: ActorAddress): Reference {
    return ref instanceof Reference
      ? ref
      : makeRef(this.router, bytesContract, String(ref), null) as unknown as Reference;
  }
}

function described({ id, name, behaviour: { contract } }: TurnCell): Omit<Registration, "type" | "end"> {
  return { id, name, contract: contract.name };
}
