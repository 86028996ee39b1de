import { Buffer } from "node:buffer";
import {
  type AnySchema,
  type Contract,
  describeIssues,
  errorText,
  type InstanceId,
  jsonSchemaOf,
  option,
  type OptionTable,
  readOptions,
  shape,
  systemContract,
  validate,
  withDefaults,
  ZeromeshError,
} from "../../core/mod.ts";
import type { SystemCall } from "../../messenger/mod.ts";
import { newActorId } from "../references/address.ts";
import { anchorsAt } from "../../streams/mod.ts";
import type { Cell } from "../cell/cell.ts";
import { bytesContract, longestSchema } from "../contract/contract.ts";
import { actorText, fail, inputInvalid } from "../failures.ts";
import type { ActorRef } from "../references/actor_ref.ts";
import { statusOf, treeOf } from "../system/status.ts";
import { type ActorSystem, coreOf } from "../system/system.ts";
import type { SystemCore } from "../system/core.ts";
import { updateByName } from "../update/update_actor.ts";
import { Updates } from "../update/updates.ts";
import { requireAdministrator } from "./administrators.ts";
import { type ActorCatalogue, Catalogue } from "./catalogue.ts";
import type { CommandName, CommandTypes, ManagementAnswer, ManagementCommand } from "./command_types.ts";
import { managementCommands, managementVersion, openCommands } from "./commands.ts";
import { EventFeed, type EventSink, jsonOf, managedEnd } from "./event_feed.ts";

/** The options of {@link serveManagement}. */
export interface ManagementOptions {
  /** What `start` and `update` can name. @default {{}} */
  catalogue?: ActorCatalogue | undefined;
  /** CURVE public keys, Z85, of the clients that may do more than list. @default {[]} */
  administrators?: readonly string[] | undefined;
  /** Folders below which `start` and `update` may name modules by path. @default {[]} */
  folders?: readonly string[] | undefined;
  /** Subscriptions to events at a time; at the limit `events` fails with `LIMIT_REACHED`. @default {1_024} */
  maxSubscriptions?: number | undefined;
}

const names = option.kind(
  "an array of strings",
  (value) => Array.isArray(value) && value.every((one) => typeof one === "string"),
);

const optionTable = {
  catalogue: option.object,
  administrators: names,
  folders: names,
  maxSubscriptions: option.whole(1, 65_536).or(1_024),
} satisfies OptionTable<ManagementOptions>;

type Runs = {
  readonly [Name in CommandName]: (
    input: CommandTypes[Name]["input"],
    signal: AbortSignal | undefined,
    /** The instance of the client; null without a connection. */
    caller: InstanceId | null,
  ) => ManagementAnswer<Name> | Promise<ManagementAnswer<Name>>;
};

const done = { done: true } as const;
const anything: AnySchema = shape.of<unknown>(option.value);

/** The systems that have a server. */
const managed = new WeakSet<SystemCore>();

/** Answers the commands of management clients. Made by {@link serveManagement}. */
export class ManagementServer implements AsyncDisposable {
  readonly #core: SystemCore;
  readonly #system: ActorSystem;
  readonly #catalogue: Catalogue;
  readonly #feeds = new Set<EventFeed>();
  #subscriptions = 0;
  #closed = false;
  readonly #maxSubscriptions: number;
  readonly #served: readonly Disposable[];

  /** Used by {@link serveManagement}. */
  constructor(system: ActorSystem, given: ManagementOptions | undefined) {
    const cannot = "Cannot serve management";
    const options = withDefaults(readOptions(given, optionTable, cannot), optionTable);
    const { catalogue = {}, administrators = [], folders = [], maxSubscriptions } = options;
    this.#system = system;
    const core = this.#core = coreOf(system);
    if (managed.has(core)) {
      const why = "this system has a management server already; use that one, or close it first";
      throw new ZeromeshError("HANDLER_EXISTS", `${cannot}: ${why}`);
    }
    this.#catalogue = new Catalogue(catalogue, folders);
    this.#maxSubscriptions = maxSubscriptions;
    managed.add(core);
    const keys = new Set(administrators);
    const { port } = core;
    this.#served = port === null ? [] : Object.entries(managementCommands).map(([name, contract]) => {
      const command = name as CommandName;
      const served = systemContract(contract.name, { input: anything, output: contract.output });
      return port.serve(
        served,
        (async (call: SystemCall<Contract> & { readonly input: unknown }) => {
          try {
            this.#requireVersion(call.input, call);
            if (!openCommands.has(command)) requireAdministrator(port.originOf(call), keys, command);
            const caller = port.senderOf(call)?.instanceId ?? null;
            const input = await validate(
              contract.input,
              call.input,
              (...about) => inputInvalid(contract.name, ...about),
            );
            return await this.#run(command, input, call.signal, caller);
          } catch (error) {
            return fail(error);
          }
        }) as never,
      );
    });
  }

  /** Refuses a client of another version, before its input, which may look different there, is read. */
  #requireVersion(input: unknown, call: SystemCall<Contract>): void {
    const { protocol = managementVersion } = (input ?? {}) as { readonly protocol?: unknown };
    if (protocol === managementVersion) return;
    const { port } = this.#core;
    const asked = typeof protocol === "number" ? protocol : null;
    const peer = port!.senderOf(call)?.instanceId;
    port!.logger.warn("a management client of another version was refused", {
      peer,
      asked,
      managementVersion,
    });
    throw new ZeromeshError(
      "PEER_LACKS_FEATURE",
      `This management server speaks version ${managementVersion} of its protocol, and the client ${
        asked === null ? "none that it knows" : `version ${asked}`
      }; use the same version of zeromesh at both ends`,
      { details: { spoken: managementVersion, asked } },
    );
  }

  /**
   * Runs a command as an administrator, without a connection.
   *
   * @returns Its answer.
   * @throws {ZeromeshError} The error that a client would get.
   */
  async handle<Name extends CommandName>(command: ManagementCommand<Name>): Promise<ManagementAnswer<Name>> {
    const { command: name, ...input } = command;
    if (!Object.hasOwn(managementCommands, name)) {
      throw new ZeromeshError("HANDLER_NOT_FOUND", `There is no command "${name}"`);
    }
    const checked = await validate(
      managementCommands[name].input,
      input,
      (issues, cause) =>
        new ZeromeshError("PAYLOAD_INVALID", `Command "${name}" is invalid: ${describeIssues(issues)}`, {
          cause,
        }),
    );
    return await this.#run(name, checked, undefined, null);
  }

  #run<Name extends CommandName>(
    name: Name,
    input: unknown,
    signal: AbortSignal | undefined,
    caller: InstanceId | null,
  ): ManagementAnswer<Name> | Promise<ManagementAnswer<Name>> {
    return this.#runs[name](input as CommandTypes[Name]["input"], signal, caller);
  }

  /** Answers no more commands, and ends the subscriptions. */
  // deno-lint-ignore require-await -- as all endings
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    managed.delete(this.#core);
    for (const one of this.#served) one[Symbol.dispose]();
    for (const feed of this.#feeds) feed.end();
  }

  /** {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  readonly #runs: Runs = {
    list: () => ({ actors: this.#system.list() }),
    status: ({ target }) => statusOf(this.#core.cellOf(target)),
    tree: () => ({
      actors: treeOf([...this.#core.registry.cells()].filter(({ parent }) => parent === null)),
    }),
    metrics: ({ target }) => {
      const metrics = target === undefined ? this.#system.stats() : this.#system.metrics(target);
      return { metrics: metrics as unknown as Record<string, unknown> };
    },
    describe: ({ target }) => describe(this.#core.cellOf(target)),
    state: ({ target }) => stateOf(this.#core.cellOf(target)),
    channels: ({ target }) => ({ channels: this.#system.channels(target) }),
    channel: ({ channel }, _signal, caller) => this.#core.channels.statusFor(caller, channel),
    start: async ({ definition, name, args, replace = false, parent, subscribe }) => {
      const above = parent === undefined ? null : this.#core.cellOf(parent);
      const { definition: loaded, source } = await this.#catalogue.load(definition);
      // Chosen here, so that the subscription has the first event.
      const id = newActorId();
      const feed = subscribe === undefined ? null : await this.#feed(subscribe, id);
      try {
        const { instance } = await this.#core.spawn(loaded, { id, args, name, replace }, above);
        const cell = this.#core.registry.find(id);
        // It may have ended already.
        if (cell !== null) Updates.of(cell).source = source;
        return { id, address: `${id}@${instance}` };
      } catch (error) {
        feed?.end();
        throw error;
      }
    },
    stop: async ({ target, timeoutMs }) => ({
      end: managedEnd(await this.#system.stop(target, { timeoutMs })),
    }),
    terminate: ({ target }) => {
      this.#system.terminate(target);
      return done;
    },
    restart: async ({ target }) => {
      await this.#system.restart(target);
      return done;
    },
    pause: ({ target }) => {
      this.#system.pause(target);
      return done;
    },
    resume: ({ target }) => {
      this.#system.resume(target);
      return done;
    },
    tell: async ({ target, name, input, bytes }, signal) => {
      const { ref, value } = this.#addressed(target, input, bytes);
      await ref.tell(name, value as never, { signal });
      return done;
    },
    ask: async ({ target, name, input, bytes, timeoutMs }, signal) => {
      const { ref, value } = this.#addressed(target, input, bytes);
      const output: unknown = await ref.ask(name, value as never, { timeoutMs, signal });
      return output instanceof Uint8Array
        ? { bytes: Buffer.from(output.buffer, output.byteOffset, output.length).toString("base64") }
        : { output };
    },
    update: ({ target, to, ...options }, signal) =>
      updateByName(this.#core.cellOf(target), to, this.#catalogue.load(to), { ...options, signal }),
    rollback: ({ target }) => this.#system.rollback(target),
    events: async ({ target, ...subscription }) => {
      const actor = target === undefined ? null : this.#core.cellOf(target).id;
      await this.#feed(subscription, actor);
      return done;
    },
  };

  /** A reference with the actor's own contract, and a value for it. */
  #addressed(target: string, input: unknown, bytes: string | undefined): { ref: ActorRef; value: unknown } {
    const cell = this.#core.cellOf(target);
    const contract = cell.behaviour.bytes ? bytesContract : cell.behaviour.contract;
    const value = bytes === undefined ? input : new Uint8Array(Buffer.from(bytes, "base64"));
    return { ref: this.#system.ref(contract, cell.id) as ActorRef, value };
  }

  /** Begins to send events to a client. @throws {ZeromeshError} `LIMIT_REACHED`. */
  async #feed(
    { handle, policy = "drop", maxBuffered = 1_024 }: {
      handle: string;
      policy?: "drop" | "block" | undefined;
      maxBuffered?: number | undefined;
    },
    actor: string | null,
  ): Promise<EventFeed> {
    // With those that are attaching.
    if (this.#subscriptions >= this.#maxSubscriptions) {
      throw new ZeromeshError(
        "LIMIT_REACHED",
        `The server has ${this.#maxSubscriptions} subscriptions to events, as many as may (maxSubscriptions)`,
      );
    }
    const { port } = this.#core;
    if (port === null) {
      throw new ZeromeshError(
        "FEATURE_UNAVAILABLE",
        "A system without a messenger has events(), and no clients",
      );
    }
    this.#subscriptions++;
    const ended = (): void => void this.#subscriptions--;
    try {
      const sender: EventSink = await anchorsAt(port).attach(handle);
      const feed = new EventFeed(this.#core.events, sender, { actor, policy, maxBuffered });
      this.#feeds.add(feed);
      void feed.over.then(() => this.#feeds.delete(feed)).then(ended);
      return feed;
    } catch (error) {
      ended();
      throw error;
    }
  }
}

/**
 * Lets management clients see and command the actors of a system.
 *
 * Without CURVE keys, only processes of this host may do more than list and look; with them, those with the keys of
 * `administrators`.
 *
 * @throws {TypeError} If an option is unknown or has the wrong type.
 * @throws {ZeromeshError} `HANDLER_EXISTS` if the system has a management server.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { actor, ActorSystem, serveManagement } from "zeromesh/actors";
 *
 * const echo = actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } });
 * await using messenger = await Messenger.create();
 * await using system = await ActorSystem.create(messenger);
 * await using server = serveManagement(system, { catalogue: { echo } });
 * console.log(await server.handle({ command: "list" })); // { actors: [] }
 * ```
 */
export function serveManagement(system: ActorSystem, options?: ManagementOptions): ManagementServer {
  return new ManagementServer(system, options);
}

/** @throws {ZeromeshError} `ENCODING_FAILED` if JSON cannot show it. */
function stateOf(cell: Cell): ManagementAnswer<"state"> {
  try {
    return { state: jsonOf(cell.state) };
  } catch (error) {
    const why = errorText(error);
    throw new ZeromeshError("ENCODING_FAILED", `JSON cannot show the state of ${actorText(cell)}: ${why}`);
  }
}

function describe(cell: Cell): ManagementAnswer<"describe"> {
  const { address, behaviour: { contract, version, bytes } } = cell;
  const schemas = <T, Out>(all: Readonly<Record<string, T>>, of: (one: T) => Out): Record<string, Out> =>
    Object.fromEntries(Object.entries(all).map(([name, one]) => [name, of(one)]));
  const json = (schema: Parameters<typeof jsonSchemaOf>[0], side: "input" | "output") =>
    jsonSchemaOf(schema, side, longestSchema) as undefined;
  return {
    address,
    contract: contract.name,
    encoding: contract.encoding,
    bytes,
    version,
    source: Updates.made(cell)?.source ?? null,
    tell: schemas(contract.tell, (schema) => json(schema, "input")),
    ask: schemas(contract.ask, ({ input, output }) => ({
      input: json(input, "input"),
      output: json(output, "output"),
    })),
    channel: schemas(contract.channel, ({ fromOpener, toOpener }) => ({
      fromOpener: json(fromOpener, "input"),
      toOpener: json(toOpener, "output"),
    })),
  };
}
