import { type Filled, option, type OptionTable } from "../../core/mod.ts";
import type { ChannelPattern } from "../contract.ts";
import type { BrokerNotice } from "../protocol/notices.ts";
import type {
  ChannelView,
  PeerOfClient,
  ProcessInfo,
  ProducerRoute,
  SchemaView,
} from "../protocol/contracts.ts";

/** A client of the registry, as its connection proves it. One object for each connection; it is compared. */
export interface RegistryClient {
  /** Its CURVE key, else its instance id. */
  readonly identity: string;
  /** Its instance. */
  readonly instance: string;
  /** What it says of itself. */
  readonly info: ProcessInfo;
}

/** What a producer registers. */
export interface ProducerRegistration {
  /** The name of the channel. */
  readonly channel: string;
  /** How messages travel. */
  readonly pattern: ChannelPattern;
  /** The schema. */
  readonly schema: SchemaView;
  /** What consumers see of it. */
  readonly metadata: Readonly<Record<string, unknown>> | null;
  /** The name of shared memory that it offers. */
  readonly sharedMemory: string | null;
  /** Where the data comes from. */
  readonly route: ProducerRoute;
  /** Whether it works already, so that its channel need not wait for the first heartbeat. @default {false} */
  readonly ready?: boolean | undefined;
  /**
   * The presence as which it was registered before, when it repeats a registration at the same broker: if another instance has
   * taken over since, it is refused with `STALE_INSTANCE` instead of taking over in turn.
   */
  readonly resumes?: number | undefined;
}

/** What a consumer registers. */
export interface ConsumerRegistration {
  /** The name of the channel. */
  readonly channel: string;
  /** Null: it takes whatever there is. */
  readonly pattern: ChannelPattern | null;
  /** The expected way of the data; null if either will do. */
  readonly transport: "stream" | "plain" | null;
  /** The expected schema. */
  readonly schema: Pick<SchemaView, "hash" | "version">;
  /** How it is dialled; null if it does not listen. */
  readonly peer: PeerOfClient | null;
}

/** The registered producer. */
export interface RegisteredProducer {
  /** The number of its presence. */
  readonly presence: number;
  /** Counts the producers that the channel had. */
  readonly epoch: number;
  /** Whether it follows another registration of the same identity. */
  readonly tookOver: boolean;
}

/** The registered consumer. */
export interface RegisteredConsumer {
  /** The number of its presence. */
  readonly presence: number;
  /** The channel. */
  readonly channel: ChannelView;
  /** Where the data comes from. */
  readonly route: ProducerRoute;
}

/** What the registry asks of its owner. All are called synchronously, in the order of what happens. */
export interface RegistryEffects {
  /** A notice for a client. */
  notice(client: RegistryClient, notice: BrokerNotice): void;
  /** A presence lives: it expires unless this comes again in time; then the owner calls `expire`. */
  renew(presence: number): void;
  /** A presence has ended, and expires no more. */
  release(presence: number): void;
  /** A channel closes: the owner calls `graceOver(channel, closing)` when its grace period has passed. */
  grace(channel: string, closing: number): void;
}

/** The limits of a registry. */
export interface RegistryLimits {
  /** Channels. @default {65_536} */
  maxChannels?: number | undefined;
  /** Consumers of one channel. @default {16_384} */
  maxConsumers?: number | undefined;
  /** Presences of one identity. @default {65_536} */
  maxPresences?: number | undefined;
  /** Schemas that are stored, also of channels that have ended; the ones not used for longest go first. @default {16_384} */
  maxSchemas?: number | undefined;
  /** Characters of all stored schemas. @default {67_108_864} */
  maxSchemaCharacters?: number | undefined;
  /** Characters of a channel's metadata as JSON. @default {16_384} */
  maxMetadataCharacters?: number | undefined;
  /** Metrics of one presence; more of them, and names of more than 128 characters, are left out and counted. @default {64} */
  maxMetrics?: number | undefined;
  /** How long a closing channel waits for those who are left, as they are told; the owner keeps the time. @default {5_000} */
  closeGraceMs?: number | undefined;
}

/** The limits, with their defaults. */
export const registryLimits = {
  maxChannels: option.whole(1, 2 ** 24).or(65_536),
  maxConsumers: option.whole(1, 2 ** 24).or(16_384),
  maxPresences: option.whole(1, 2 ** 24).or(65_536),
  maxSchemas: option.whole(1, 2 ** 24).or(16_384),
  maxSchemaCharacters: option.whole(1, 2 ** 40).or(67_108_864),
  maxMetadataCharacters: option.whole(2, 2 ** 24).or(16_384),
  maxMetrics: option.whole(0, 65_536).or(64),
  closeGraceMs: option.whole(0, 2 ** 31 - 1).or(5_000),
} satisfies OptionTable<RegistryLimits>;

/** The limits, each with a value. */
export type ResolvedLimits = Filled<RegistryLimits, typeof registryLimits>;

/** Counters of a registry. */
export interface RegistryStats {
  /** Channels, by their state. */
  readonly channels: { readonly pending: number; readonly ready: number; readonly closing: number };
  /** Producers. */
  readonly producers: number;
  /** Consumers. */
  readonly consumers: number;
  /** Schemas in the store. */
  readonly schemas: number;
  /** Registrations of producers and consumers that succeeded, take-overs and repeated ones included. */
  readonly registrations: number;
  /** Producers that followed another registration of their identity. */
  readonly takeOvers: number;
  /** Refused requests, by the error's code. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Presences that gave no sign of life. */
  readonly expiries: number;
  /** Channels that ended before all had left. */
  readonly forced: number;
  /** Notices. */
  readonly notices: number;
  /** Metrics that were left out. */
  readonly metricsLeftOut: number;
}
