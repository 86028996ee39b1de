import {
  type AnySchema,
  checkArgument,
  option,
  type OptionTable,
  readOptions,
  type SchemaInput,
  schemaOption,
  type SchemaOutput,
  unknownName,
} from "../../core/mod.ts";
import type { ChannelEnd, OpeningChannel, ServedChannel } from "../references/actor_channel.ts";
import type { ActorContext, ActorSelf, AskContext } from "./context.ts";
import {
  type ActorContract,
  askSchemas,
  type BytesContract,
  bytesContract,
  isActorContract,
  isBytes,
  tellSchema,
} from "../contract/contract.ts";
import {
  type ActorDefinition,
  type AnyHandler,
  type AskEntry,
  askEntry,
  type Behaviour,
  behaviourOf,
  type ChannelHandlers,
  type TellEntry,
  tellEntry,
} from "./behaviour.ts";
import type { ActorEnd } from "../references/actor_end.ts";
import type { ActorRef } from "../references/actor_ref.ts";
import { type SupervisionOptions, supervisionOptionTable } from "../options/supervision_options.ts";

/** The handlers of a contract's tells. */
export type TellHandlers<C extends ActorContract, State> = {
  readonly [K in keyof C["tell"]]: (
    context: ActorContext<State>,
    input: SchemaOutput<C["tell"][K]>,
  ) => unknown;
};

/** The handlers of a contract's asks. One that has called `ctx.defer()` returns nothing. */
export type AskHandlers<C extends ActorContract, State> = {
  readonly [K in keyof C["ask"]]: (
    context: AskContext<State, SchemaInput<C["ask"][K]["output"]>>,
    input: SchemaOutput<C["ask"][K]["input"]>,
  ) => SchemaInput<C["ask"][K]["output"]> | void | Promise<SchemaInput<C["ask"][K]["output"]> | void>;
};

/** The handlers of a kind of channel. */
export interface ChannelHandlersOf<State, In, Out> {
  /** Somebody opens a channel: `channel.accept()` or `channel.reject()` decides, now or later. */
  open(context: ActorContext<State>, channel: OpeningChannel<Out>, first: In): unknown;
  /** An item has come. */
  message?(context: ActorContext<State>, channel: ServedChannel<Out>, item: In): unknown;
  /** The opener sends nothing more; the channel stays open for what this actor sends. */
  end?(context: ActorContext<State>, channel: ServedChannel<Out>): unknown;
  /** The channel has ended; it comes once, after all items. */
  close?(context: ActorContext<State>, channel: ServedChannel<Out>, end: ChannelEnd): unknown;
}

/** The handlers of a contract's channels. */
export type ChannelHandlerMap<C extends ActorContract, State> = {
  readonly [K in keyof C["channel"]]: ChannelHandlersOf<
    State,
    SchemaOutput<C["channel"][K]["fromOpener"]>,
    SchemaInput<C["channel"][K]["toOpener"]>
  >;
};

/**
 * Demands a key if the contract names something for it. The type of its value is apart, since the compiler infers no
 * types from what comes before a key whose type is conditional.
 *
 * @ignore
 */
export type Needed<Key extends string, Names> = keyof Names extends never ? unknown
  : string extends keyof Names ? unknown
  : { readonly [K in Key]: unknown };

/** The handlers of an {@link actor}, by their kinds. */
export interface ActorHandlers<C extends ActorContract, State> {
  /** Handlers of tells. */
  readonly tell?: TellHandlers<C, State> | undefined;
  /** Handlers of asks. */
  readonly ask?: AskHandlers<C, State> | undefined;
  /** Handlers of channels. */
  readonly channel?: ChannelHandlerMap<C, State> | undefined;
}

/** The parts of an {@link actor} that every contract allows. */
export interface ActorLife<State, Args, Old> {
  /** The version, which a later one is told when it takes over. @default {1} */
  readonly version?: number | undefined;
  /** Schema of the state: an update whose state does not fit it fails. */
  readonly state?: AnySchema | undefined;
  /** Makes the state. */
  readonly init: (args: Args, context: ActorSelf) => State | Promise<State>;
  /** Converts the state of another version at an update. @default {the state stays as it is} */
  readonly migrate?:
    | ((old: Old, fromVersion: number) => NoInfer<State> | Promise<NoInfer<State>>)
    | undefined;
  /** Converts the state back to an older version when an update is undone. */
  readonly migrateBack?: ((state: NoInfer<State>, toVersion: number) => unknown) | undefined;
  /** Runs when the actor stops or is restarted, after its last message and after its children. */
  readonly onStop?: ((context: ActorSelf & { state: NoInfer<State> }) => unknown) | undefined;
  /** A child that `ctx.spawn` has started has ended, whatever ended it. It runs as a turn. */
  readonly onChildEnd?:
    | ((context: ActorContext<NoInfer<State>>, child: ActorRef<BytesContract>, end: ActorEnd) => unknown)
    | undefined;
  /** What meets a failed handler, and which children are restarted with one that is. */
  readonly supervision?: SupervisionOptions | undefined;
}

/** The parts of an {@link actor}. */
export type ActorParts<C extends ActorContract, State, Args, Old> =
  & ActorLife<State, Args, Old>
  & ActorHandlers<C, NoInfer<State>>
  & Needed<"tell", C["tell"]>
  & Needed<"ask", C["ask"]>
  & Needed<"channel", C["channel"]>;

interface Given {
  readonly version?: number | undefined;
  readonly state?: AnySchema | undefined;
  readonly init?: AnyHandler | undefined;
  readonly migrate?: AnyHandler | undefined;
  readonly migrateBack?: AnyHandler | undefined;
  readonly onStop?: AnyHandler | undefined;
  readonly onChildEnd?: AnyHandler | undefined;
  readonly supervision?: SupervisionOptions | undefined;
  readonly tell?: object | undefined;
  readonly ask?: object | undefined;
  readonly channel?: object | undefined;
}

const partTable: OptionTable<Given> = {
  version: option.whole(0, Number.MAX_SAFE_INTEGER),
  state: schemaOption,
  init: option.function,
  migrate: option.function,
  migrateBack: option.function,
  onStop: option.function,
  onChildEnd: option.function,
  supervision: option.options(supervisionOptionTable),
  tell: option.object,
  ask: option.object,
  channel: option.object,
};

const channelTable = {
  open: option.function,
  message: option.function,
  end: option.function,
  close: option.function,
};

/**
 * Defines an actor: what it does with the messages of a contract. Spawning starts it, and an update loads it.
 *
 * @param contract The contract. Without one, handlers get and give bytes, by names of their own.
 * @param parts `init`, the handlers that the contract names, and what else the actor needs.
 * @throws {TypeError} If a handler is missing or superfluous, or a part has the wrong type.
 *
 * @example Usage
 * ```ts
 * import { actor, actorContract, ActorSystem } from "zeromesh/actors";
 * import { z } from "zod";
 *
 * const Counter = actorContract("counter", {
 *   ask: { add: { input: z.object({ n: z.number() }), output: z.number() } },
 * });
 * const counter = actor(Counter, {
 *   init: () => ({ count: 0 }),
 *   ask: { add: (ctx, { n }) => (ctx.state.count += n) },
 * });
 * await using system = ActorSystem.local();
 * const ref = await system.spawn(counter);
 * console.log(await ref.ask("add", { n: 2 })); // 2
 * ```
 */
export function actor<C extends ActorContract, State, Args = unknown, Old = unknown>(
  contract: C,
  parts: ActorParts<C, State, Args, Old>,
): ActorDefinition<C, Args>;
/** The same without a contract: payloads are bytes, and messages have whatever names the parts give. */
export function actor<State, Args = unknown, Old = unknown>(
  parts: ActorParts<BytesContract, State, Args, Old>,
): ActorDefinition<BytesContract, Args>;
export function actor(first: unknown, second?: unknown): ActorDefinition {
  if (isActorContract(first) && second !== undefined) return define(first, second as Given);
  if (second === undefined && !isActorContract(first)) return define(bytesContract, first as Given);
  throw new TypeError("Cannot define an actor: it takes a contract and its parts, or the parts alone");
}

function define(contract: ActorContract, given: Given): ActorDefinition {
  const cannot = isBytes(contract)
    ? "Cannot define an actor"
    : `Cannot define an actor of contract "${contract.name}"`;
  const parts = readOptions(given, partTable, cannot);
  checkArgument("init", parts.init, option.function, cannot);
  const tells = new Map<string, TellEntry>();
  const tell = (name: string): TellEntry | undefined => tells.get(name);
  for (const [name, handler] of handlersOf("tell", parts.tell, contract, option.function, cannot)) {
    tells.set(name, tellEntry(name, handler as TellEntry["handler"], tellSchema(contract, name)!, tell));
  }
  const asks = new Map<string, AskEntry>();
  const ask = (name: string): AskEntry | undefined => asks.get(name);
  for (const [name, handler] of handlersOf("ask", parts.ask, contract, option.function, cannot)) {
    const { input, output } = askSchemas(contract, name)!;
    asks.set(name, askEntry(tellEntry(name, handler as TellEntry["handler"], input, ask), output));
  }
  const channels = new Map<string, ChannelHandlers>();
  for (const [name, handlers] of handlersOf("channel", parts.channel, contract, option.object, cannot)) {
    const { open, message = null, end = null, close = null } = readOptions<
      Record<keyof typeof channelTable, AnyHandler>
    >(
      handlers as never,
      channelTable,
      `${cannot}: channel "${name}"`,
    );
    checkArgument(`channel.${name}.open`, open, option.function, cannot);
    channels.set(name, { open, message, end, close });
  }
  const behaviour: Behaviour = Object.freeze({
    contract,
    version: parts.version ?? 1,
    bytes: isBytes(contract),
    stateSchema: parts.state ?? null,
    init: parts.init!,
    migrate: parts.migrate ?? null,
    migrateBack: parts.migrateBack ?? null,
    onStop: parts.onStop ?? null,
    onChildEnd: parts.onChildEnd ?? null,
    supervision: parts.supervision,
    tell,
    ask,
    channel: (name: string) => channels.get(name),
  });
  return Object.freeze({ contract, version: behaviour.version, [behaviourOf]: behaviour });
}

/** The handlers of one kind: all that the contract names, and no others. */
function handlersOf(
  kind: "tell" | "ask" | "channel",
  given: object | undefined,
  contract: ActorContract,
  rule: typeof option.function,
  cannot: string,
): [name: string, handler: unknown][] {
  const handlers: Record<string, unknown> = Object.assign(Object.create(null), given);
  const free = isBytes(contract);
  for (const name of Object.keys(free ? handlers : contract[kind])) {
    checkArgument(`${kind}.${name}`, handlers[name], rule, cannot);
  }
  for (const name of Object.keys(handlers)) {
    if (!free && !Object.hasOwn(contract[kind], name)) throw unknownName(kind, name, contract[kind], cannot);
  }
  return Object.entries(handlers);
}
