import { Buffer } from "node:buffer";
import {
  type AnySchema,
  asMethod,
  type InstanceId,
  option,
  readOptions,
  shape,
  ZeromeshError,
} from "../../core/mod.ts";
import {
  type MessengerHandle,
  portOf,
  type SystemPort,
  type WaitOptions,
  waitOptionTable,
} from "../../messenger/mod.ts";
import { anchorsAt } from "../../streams/mod.ts";
import { ChannelStreams } from "../channels/stream_parts.ts";
import { actorRef } from "../system/ref_by_address.ts";
import type { ActorChannel, ChannelStatus, OpenOptions } from "../references/actor_channel.ts";
import { type ActorContract, actorContract, bytesContract } from "../contract/contract.ts";
import type { ActorDescription, CommandName, CommandTypes, ManagementAnswer } from "./command_types.ts";
import { openOptionTable } from "../options/system_options.ts";
import { type Probation, probationOptionTable } from "../update/update_options.ts";
import { managementCommands, managementVersion } from "./commands.ts";
import type { EventPolicy, ManagedEnd } from "./event_feed.ts";
import type { ActorMetrics } from "../system/actor_metrics.ts";
import type { ActorStatus, ActorTree } from "../system/status.ts";
import type { RollbackResult, UpdateResult } from "../update/updates.ts";

/** The options of starting an actor by a client. */
export interface StartOptions extends WaitOptions {
  /** A name, unique in the system. */
  name?: string | undefined;
  /** The argument of `init`, as JSON. */
  args?: unknown;
  /** Whether it takes the name of an actor that has it, which is stopped. @default {false} */
  replace?: boolean | undefined;
  /**
   * The actor whose child it is: it ends with that one, whose `onChildEnd` is told if it ends before. @default {none}
   */
  parent?: string | undefined;
}

/** The options of subscribing to events by a client. */
export interface ManagedEventOptions extends WaitOptions {
  /**
   * What happens while this client is slower than the events: `drop` loses the oldest and tells how many; `block` makes the
   * actors wait. @default {"drop"}
   */
  policy?: EventPolicy | undefined;
  /** Events that the server keeps for this client. @default {1_024} */
  maxBuffered?: number | undefined;
}

/** The options of an update by a client. */
export interface ManagedUpdateOptions extends WaitOptions {
  /** Time for `migrate`, in milliseconds. @default {5_000} */
  migrateTimeoutMs?: number | undefined;
  /** See `UpdateOptions.probation`. */
  probation?: Probation | undefined;
  /** See `UpdateOptions.canary`. @default {1} */
  canary?: number | undefined;
}

/** An event, as a client gets it; `dropped` stands for events that it was too slow for. */
export type ManagedEvent =
  | { readonly type: "dropped"; readonly count: number }
  | {
    /** See `ActorEvent`. */
    readonly type: string;
    readonly actor: string;
    readonly name: string | null;
    readonly seq: number;
    readonly at: number;
    /** Why it has ended, for `ended`. */
    readonly end?: ManagedEnd | undefined;
    readonly [fact: string]: unknown;
  };

/** An actor that was started, with its events from the first one on. */
export interface StartedActor {
  /** Its id. */
  readonly id: string;
  /** Its address. */
  readonly address: string;
  /** Its events until its end. */
  readonly events: AsyncIterableIterator<ManagedEvent>;
}

const startTable = {
  ...waitOptionTable,
  name: option.string,
  args: option.value,
  replace: option.flag,
  parent: option.string,
};
const eventTable = {
  ...waitOptionTable,
  policy: option.oneOf("drop", "block"),
  maxBuffered: option.whole(1, 65_536),
};
const updateTable = {
  ...waitOptionTable,
  migrateTimeoutMs: option.timeout,
  probation: option.options(probationOptionTable),
  canary: option.whole(1, 65_536),
};

/**
 * Commands the actors of another instance, which has a management server. Targets are ids, names or addresses.
 *
 * Each command fails with the errors of a call, `FORBIDDEN`, and those that its counterpart of `ActorSystem` has.
 *
 * @example Usage
 * ```ts ignore
 * const peer = await messenger.connect("tcp://127.0.0.1:5555");
 * const actors = new ManagementClient(messenger, peer);
 * for (const { name, phase } of await actors.list()) console.log(name, phase);
 * ```
 */
export class ManagementClient {
  readonly #messenger: MessengerHandle;
  readonly #port: SystemPort;
  readonly #peer: InstanceId;

  /**
   * A client of one instance.
   *
   * @throws {TypeError} If the first argument is no messenger.
   */
  constructor(messenger: MessengerHandle, peer: InstanceId) {
    const port = portOf(messenger);
    if (port === undefined) throw new TypeError("Cannot make a management client: it takes a Messenger");
    this.#messenger = messenger;
    this.#port = port;
    this.#peer = peer;
  }

  /** All actors. */
  async list(wait?: WaitOptions): Promise<readonly ActorStatus[]> {
    return (await this.#run("list", {}, wait)).actors;
  }

  /** One actor. */
  status(target: string, wait?: WaitOptions): Promise<ActorStatus> {
    return this.#run("status", { target }, wait);
  }

  /** All actors below those that started them. */
  async tree(wait?: WaitOptions): Promise<readonly ActorTree[]> {
    return (await this.#run("tree", {}, wait)).actors;
  }

  /** The counters and times of an actor, as `ActorSystem.metrics` has them. */
  async metrics(target: string, wait?: WaitOptions): Promise<ActorMetrics>;
  /** The counters of the system, as `ActorSystem.stats` has them. */
  async metrics(target?: undefined, wait?: WaitOptions): Promise<Readonly<Record<string, unknown>>>;
  async metrics(target?: string, wait?: WaitOptions): Promise<unknown> {
    return (await this.#run("metrics", { target }, wait)).metrics;
  }

  /** An actor's contract with its JSON Schemas, its version, and the module that it came from. */
  describe(target: string, wait?: WaitOptions): Promise<ActorDescription> {
    return this.#run("describe", { target }, wait);
  }

  /** An actor's state, as JSON. */
  async state(target: string, wait?: WaitOptions): Promise<unknown> {
    return (await this.#run("state", { target }, wait)).state;
  }

  /** Starts an actor that the server's catalogue names. */
  async start(definition: string, given?: StartOptions): Promise<ManagementAnswer<"start">> {
    const { name, args, replace, parent, ...wait } = readOptions<StartOptions>(
      given,
      startTable,
      "Cannot start an actor",
    );
    return await this.#run("start", { definition, name, args, replace, parent }, wait);
  }

  /** Starts an actor and gets its events, the first one included, until its end. */
  async startWithEvents(definition: string, given?: StartOptions): Promise<StartedActor> {
    const { name, args, replace, parent, ...wait } = readOptions<StartOptions>(
      given,
      startTable,
      "Cannot start an actor",
    );
    const events = anchorsAt(this.#port).anchor();
    try {
      const subscribe = { handle: String(events.handle) };
      const started = await this.#run("start", { definition, name, args, replace, parent, subscribe }, wait);
      return { ...started, events: events as AsyncIterableIterator<unknown> as StartedActor["events"] };
    } catch (error) {
      events.cancel();
      throw error;
    }
  }

  /** Ends an actor in order. */
  async stop(target: string, wait?: WaitOptions): Promise<ManagedEnd> {
    return (await this.#run("stop", { target }, wait)).end;
  }

  /** Ends an actor at once. */
  async terminate(target: string, wait?: WaitOptions): Promise<void> {
    await this.#run("terminate", { target }, wait);
  }

  /** Gives an actor a new state by `init`. */
  async restart(target: string, wait?: WaitOptions): Promise<void> {
    await this.#run("restart", { target }, wait);
  }

  /** Makes an actor handle no messages; they wait in its mailbox. */
  async pause(target: string, wait?: WaitOptions): Promise<void> {
    await this.#run("pause", { target }, wait);
  }

  /** Lets a paused actor go on. */
  async resume(target: string, wait?: WaitOptions): Promise<void> {
    await this.#run("resume", { target }, wait);
  }

  /**
   * Sends a message without an answer; resolves when the mailbox has it.
   *
   * @param input The message, as JSON; bytes for an actor without a contract.
   */
  async tell(target: string, name: string, input?: unknown, wait?: WaitOptions): Promise<void> {
    await this.#run("tell", { target, name, ...encoded(input) }, wait);
  }

  /**
   * Sends a message and gives its answer: JSON, or bytes of an actor without a contract.
   *
   * @param input The message, as JSON; bytes for an actor without a contract.
   */
  async ask(target: string, name: string, input?: unknown, given?: WaitOptions): Promise<unknown> {
    const wait = readOptions(given, waitOptionTable, "Cannot ask an actor");
    const timeoutMs = finite(wait.timeoutMs);
    const { output, bytes } = await this.#run("ask", { target, name, ...encoded(input), timeoutMs }, wait);
    return bytes === undefined ? output : new Uint8Array(Buffer.from(bytes, "base64"));
  }

  /** Opens a channel, with JSON items; with bytes, of an actor without a contract. */
  async open(target: string, channel: string, first?: unknown, given?: OpenOptions): Promise<ActorChannel> {
    const options = readOptions(given, openOptionTable, "Cannot open a channel");
    const { timeoutMs, signal } = options;
    const about = await this.describe(target, { timeoutMs, signal });
    const contract = about.bytes ? bytesContract : actorContract(about.contract, {
      channel: { [channel]: { fromOpener: unknownSchema, toOpener: unknownSchema } },
      encoding: about.encoding,
    });
    const ref = actorRef(this.#messenger, contract as ActorContract, about.address);
    return await ref.open(channel, first, options);
  }

  /** An actor's channels, open ones and those that wait for `accept`. */
  async channels(target: string, wait?: WaitOptions): Promise<readonly ChannelStatus[]> {
    return (await this.#run("channels", { target }, wait)).channels;
  }

  /**
   * This client's side of an open channel, by its id: of one that its messenger has opened to an actor of the server's
   * instance, by {@link open} or by a reference.
   *
   * @throws {ZeromeshError} `ACTOR_NOT_A_PARTICIPANT` if the channel belongs to others, `ACTOR_CHANNEL_CLOSED`.
   */
  async channel(id: string, wait?: WaitOptions): Promise<ActorChannel> {
    const own = ChannelStreams.of(this.#port).find(id);
    if (own?.status.other.endsWith(`@${this.#peer}`) === true) return own;
    await this.#run("channel", { channel: id }, wait);
    // It ends here, and the server has not heard of that yet.
    throw new ZeromeshError("ACTOR_CHANNEL_CLOSED", `There is no open channel ${id}`, { ran: "no" });
  }

  /** Updates an actor in place with what the server's catalogue names. */
  async update(target: string, to: string, given?: ManagedUpdateOptions): Promise<UpdateResult> {
    const { migrateTimeoutMs, probation, canary, ...wait } = readOptions<ManagedUpdateOptions>(
      given,
      updateTable,
      "Cannot update an actor",
    );
    const times = { timeoutMs: finite(wait.timeoutMs), migrateTimeoutMs: finite(migrateTimeoutMs) };
    const { failures, withinMs } = probation ?? {};
    const trial = probation === undefined ? undefined : { failures, withinMs: finite(withinMs) };
    return await this.#run("update", { target, to, ...times, probation: trial, canary }, wait);
  }

  /** Undoes an actor's last update. */
  rollback(target: string, wait?: WaitOptions): Promise<RollbackResult> {
    return this.#run("rollback", { target }, wait);
  }

  /** The events of an actor, until its end; of all actors without a target. They begin before it resolves. */
  async events(
    target?: string | undefined,
    given?: ManagedEventOptions,
  ): Promise<AsyncIterableIterator<ManagedEvent>> {
    const { policy, maxBuffered, ...wait } = readOptions<ManagedEventOptions>(
      given,
      eventTable,
      "Cannot subscribe to events",
    );
    const events = anchorsAt(this.#port).anchor();
    try {
      await this.#run("events", { target, handle: String(events.handle), policy, maxBuffered }, wait);
      return events as AsyncIterableIterator<unknown> as AsyncIterableIterator<ManagedEvent>;
    } catch (error) {
      events.cancel();
      throw error;
    }
  }

  async #run<Name extends CommandName>(
    command: Name,
    input: CommandTypes[Name]["input"],
    given: WaitOptions | undefined,
  ): Promise<ManagementAnswer<Name>> {
    const wait = readOptions(given, waitOptionTable, `Cannot run "${command}"`);
    const contract = managementCommands[command];
    const answer = this.#port.call(contract, this.#peer, { ...input, protocol: managementVersion }, wait);
    return await asMethod(command, answer).catch((error) => {
      throw this.#withoutServer(error);
    }) as ManagementAnswer<Name>;
  }

  /** An instance whose management has other commands, or none. */
  #withoutServer(error: unknown): unknown {
    // An actor that lacks a message says so in details.
    if (
      !(error instanceof ZeromeshError) || error.code !== "HANDLER_NOT_FOUND" || error.details !== undefined
    ) {
      return error;
    }
    const who = `Peer ${this.#port.textOf(this.#peer)}`;
    const why = "has no management server that knows this command; it must call serveManagement(system)";
    return new ZeromeshError(error.code, `${who} ${why}`, {
      peer: this.#peer,
      handler: error.handler,
      cause: error,
    });
  }
}

const unknownSchema: AnySchema = shape.of<unknown>(option.value);

/** A time as it travels: JSON has no infinity. The longest time is for ever. */
function finite(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.min(Math.max(0, ms), Number.MAX_SAFE_INTEGER);
}

function encoded(input: unknown): { readonly input?: unknown; readonly bytes?: string } {
  if (!(input instanceof Uint8Array)) return { input };
  return { bytes: Buffer.from(input.buffer, input.byteOffset, input.length).toString("base64") };
}
