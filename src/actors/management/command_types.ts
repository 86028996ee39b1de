import type { ChannelStatus } from "../references/actor_channel.ts";
import type { ActorStatus, ActorTree } from "../system/status.ts";
import type { RollbackResult, UpdateResult } from "../update/updates.ts";
import type { EventPolicy, ManagedEnd } from "./event_feed.ts";

/** A JSON Schema; absent if the validator gives none. */
export type ManagedSchema = boolean | Readonly<Record<string, unknown>> | undefined;

/** An actor's contract, as {@link CommandTypes.describe} gives it. */
export interface ActorDescription {
  /** The address by id. */
  readonly address: string;
  /** The name of the contract. */
  readonly contract: string;
  /** Its encoding between processes. */
  readonly encoding: "json" | "msgpack";
  /** Whether it has no contract, so that its messages are bytes by whatever name. */
  readonly bytes: boolean;
  /** The version of the definition. */
  readonly version: number;
  /** The name of the catalogue, or the module, that the definition came from; null without one. */
  readonly source: string | null;
  /** Schemas of its tells. */
  readonly tell: Readonly<Record<string, ManagedSchema>>;
  /** Schemas of its asks. */
  readonly ask: Readonly<Record<string, { readonly input?: ManagedSchema; readonly output?: ManagedSchema }>>;
  /** Schemas of its channels. */
  readonly channel: Readonly<
    Record<string, { readonly fromOpener?: ManagedSchema; readonly toOpener?: ManagedSchema }>
  >;
}

/** A command about one actor. */
export interface Targeted {
  /** Its id or name, or its address. */
  readonly target: string;
}

/** A subscription to events: they are sent to an anchor of the client. */
export interface EventSubscription {
  /** The anchor's handle. */
  readonly handle: string;
  /** See `ManagedEventOptions.policy`. */
  readonly policy?: EventPolicy | undefined;
  /** See `ManagedEventOptions.maxBuffered`. */
  readonly maxBuffered?: number | undefined;
}

/** A message: its value is `input` as JSON, or `bytes` in base64 for an actor without a contract. */
export interface ManagedMessage extends Targeted {
  /** The message's name. */
  readonly name: string;
  /** The value. */
  readonly input?: unknown;
  /** The value of an actor without a contract. */
  readonly bytes?: string | undefined;
}

/** An answer without a value. */
export interface Done {
  /** It is done. */
  readonly done: true;
}

/** Each command's input and output. */
export interface CommandTypes {
  /** All actors. */
  readonly list: { input: object; output: { readonly actors: readonly ActorStatus[] } };
  /** One actor. */
  readonly status: { input: Targeted; output: ActorStatus };
  /** All actors below those that started them. */
  readonly tree: { input: object; output: { readonly actors: readonly ActorTree[] } };
  /** The counters of the system, or those of one actor. */
  readonly metrics: {
    input: { readonly target?: string | undefined };
    output: { readonly metrics: Readonly<Record<string, unknown>> };
  };
  /** An actor's contract and version. */
  readonly describe: { input: Targeted; output: ActorDescription };
  /** An actor's state, as JSON. */
  readonly state: { input: Targeted; output: { readonly state?: unknown } };
  /** An actor's channels. */
  readonly channels: { input: Targeted; output: { readonly channels: readonly ChannelStatus[] } };
  /** An open channel of the client that asks, by its id. */
  readonly channel: { input: { readonly channel: string }; output: ChannelStatus };
  /** Starts an actor of the catalogue. */
  readonly start: {
    input: {
      /** A name of the catalogue, or a path where the server allows paths. */
      readonly definition: string;
      readonly name?: string | undefined;
      readonly args?: unknown;
      readonly replace?: boolean | undefined;
      /** The actor whose child it is. */
      readonly parent?: string | undefined;
      /** Gets its events, the first one included. */
      readonly subscribe?: EventSubscription | undefined;
    };
    output: { readonly id: string; readonly address: string };
  };
  /** Ends an actor in order. */
  readonly stop: {
    input: Targeted & { readonly timeoutMs?: number | undefined };
    output: { readonly end: ManagedEnd };
  };
  /** Ends an actor at once. */
  readonly terminate: { input: Targeted; output: Done };
  /** Gives an actor a new state by `init`. */
  readonly restart: { input: Targeted; output: Done };
  /** Makes an actor handle no messages. */
  readonly pause: { input: Targeted; output: Done };
  /** Lets a paused actor go on. */
  readonly resume: { input: Targeted; output: Done };
  /** Sends a message without an answer. */
  readonly tell: { input: ManagedMessage; output: Done };
  /** Sends a message and gives its answer. */
  readonly ask: {
    input: ManagedMessage & { readonly timeoutMs?: number | undefined };
    output: { readonly output?: unknown; readonly bytes?: string | undefined };
  };
  /** Updates an actor in place. */
  readonly update: {
    input: Targeted & {
      /** A name of the catalogue, or a path where the server allows paths. */
      readonly to: string;
      readonly timeoutMs?: number | undefined;
      readonly migrateTimeoutMs?: number | undefined;
      readonly probation?:
        | { readonly failures?: number | undefined; readonly withinMs?: number | undefined }
        | undefined;
      readonly canary?: number | undefined;
    };
    output: UpdateResult;
  };
  /** Undoes an actor's last update. */
  readonly rollback: { input: Targeted; output: RollbackResult };
  /** Sends events to an anchor: of one actor until its end, or of all. */
  readonly events: { input: EventSubscription & { readonly target?: string | undefined }; output: Done };
}

/** The name of a command. */
export type CommandName = keyof CommandTypes;

/** A command with its input, for `ManagementServer.handle`. */
export type ManagementCommand<Name extends CommandName = CommandName> = {
  readonly [K in Name]: { readonly command: K } & CommandTypes[K]["input"];
}[Name];

/** The answer of a command. */
export type ManagementAnswer<Name extends CommandName> = CommandTypes[Name]["output"];
