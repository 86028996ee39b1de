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
  readonly channel: string;
  readonly pattern: ChannelPattern;
  readonly schema: SchemaView;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly sharedMemory: string | null;
  readonly route: ProducerRoute;
}

/** What a consumer registers. */
export interface ConsumerRegistration {
  readonly channel: string;
  /** Null: it takes whatever there is. */
  readonly pattern: ChannelPattern | null;
  readonly transport: "stream" | "plain" | null;
  readonly schema: Pick<SchemaView, "hash" | "version">;
  /** How it is dialled; null if it does not listen. */
  readonly peer: PeerOfClient | null;
}

/** The registered producer. */
export interface RegisteredProducer {
  readonly presence: number;
  readonly epoch: number;
  readonly tookOver: boolean;
}

/** The registered consumer. */
export interface RegisteredConsumer {
  readonly presence: number;
  readonly channel: ChannelView;
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
}
