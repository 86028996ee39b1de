import type { AnySchema, SchemaFailure } from "../../core/mod.ts";
import type { ActorContract } from "../contract/contract.ts";
import { inputInvalid, outputInvalid } from "../failures.ts";
import type { SupervisionOptions } from "../options/supervision_options.ts";

/**
 * A handler as the system calls it.
 *
 * @ignore
 */
export type AnyHandler = (context: never, ...values: never[]) => unknown;

/**
 * A tell that an actor takes. All that its messages need is looked up once.
 *
 * @ignore
 */
export interface TellEntry {
  /** Its name. */
  readonly name: string;
  /** The handler. */
  readonly handler: (context: unknown, input: unknown) => unknown;
  /** Schema of the input. */
  readonly input: AnySchema;
  /** Makes the error of an invalid input. */
  readonly invalid: SchemaFailure;
  /** The function of its {@link Behaviour} that gives it: one that is the actor's shows that the entry still is. */
  readonly givenBy: (name: string) => TellEntry | undefined;
}

/** The entry of a tell. */
export function tellEntry(
  name: string,
  handler: TellEntry["handler"],
  input: AnySchema,
  givenBy: TellEntry["givenBy"],
): TellEntry {
  return { name, handler, input, invalid: (issues, cause) => inputInvalid(name, issues, cause), givenBy };
}

/**
 * An ask that an actor takes.
 *
 * @ignore
 */
export interface AskEntry extends TellEntry {
  /** Schema of the answer. */
  readonly output: AnySchema;
  /** Makes the error of an invalid answer. */
  readonly invalidOutput: SchemaFailure;
}

/** The entry of an ask. */
export function askEntry(entry: TellEntry, output: AnySchema): AskEntry {
  const { name } = entry;
  return { ...entry, output, invalidOutput: (issues, cause) => outputInvalid(name, issues, cause) };
}

/**
 * The handlers of one kind of channel.
 *
 * @ignore
 */
export interface ChannelHandlers {
  /** Accepts or rejects, now or later. */
  readonly open: AnyHandler;
  /** Takes an item. */
  readonly message: AnyHandler | null;
  /** The opener sends nothing more. */
  readonly end: AnyHandler | null;
  /** The channel has ended. */
  readonly close: AnyHandler | null;
}

/**
 * What an actor does: the resolved parts of a definition. An update replaces it between two messages.
 *
 * @ignore
 */
export interface Behaviour {
  /** The contract. */
  readonly contract: ActorContract;
  /** The version; 1 unless it is given. */
  readonly version: number;
  /** Schema of the state, by which updates check it; null without one. */
  readonly stateSchema: AnySchema | null;
  /** Makes the state. */
  readonly init: AnyHandler;
  /** Converts the state of an older version; null without one. */
  readonly migrate: AnyHandler | null;
  /** Converts the state back, for a version that is undone; null without one. */
  readonly migrateBack: AnyHandler | null;
  /** Runs when the actor stops; null without one. */
  readonly onStop: AnyHandler | null;
  /** Is told of the end of a child; null without one. */
  readonly onChildEnd: AnyHandler | null;
  /** What meets failures; undefined for the defaults. */
  readonly supervision: SupervisionOptions | undefined;
  /** Whether its handlers take and give bytes: it has no contract. */
  readonly bytes: boolean;
  /** The tell of a name; undefined without one. */
  tell(name: string): TellEntry | undefined;
  /** The ask of a name; undefined without one. */
  ask(name: string): AskEntry | undefined;
  /** The handlers of a kind of channel; undefined without them. */
  channel(name: string): ChannelHandlers | undefined;
}

/**
 * Key of a definition's behaviour.
 *
 * @ignore
 */
export const behaviourOf: unique symbol = Symbol.for("zeromesh.actors.behaviour") as never;

/** What `ActorSystem.spawn` starts and an update loads. Made by `actor`. */
export interface ActorDefinition<C extends ActorContract = ActorContract, Args = unknown> {
  /** The contract. */
  readonly contract: C;
  /** The version. */
  readonly version: number;
  /** The handlers; internal. */
  readonly [behaviourOf]: Behaviour;
  /** Types only: the argument of `init`. */
  readonly "~args"?: Args | undefined;
}

/** Whether a value was made by `actor`, also by another copy of the package. */
export function isActorDefinition(value: unknown): value is ActorDefinition {
  return typeof value === "object" && value !== null && behaviourOf in value;
}
