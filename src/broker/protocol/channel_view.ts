import type { InstanceId } from "../../core/mod.ts";
import type { ChannelPattern } from "../contract.ts";

/** What a process says of itself: information for people. */
export interface ProcessInfo {
  /** Its process id. */
  readonly pid: number;
  /** Its host; empty if it may not know that. */
  readonly host: string;
  /** Name and version of its runtime. */
  readonly runtime: string;
  /** What it is called. */
  readonly name: string | null;
}

/** The schema of a channel. */
export interface SchemaView {
  /** SHA-256 of the text, 64 hexadecimal digits; null if it is not compared. */
  readonly hash: string | null;
  /** The JSON Schemas as canonical JSON; null without them. */
  readonly text: string | null;
  /** The version that the contract names. */
  readonly version: string;
}

/** How an instance is dialled, as Velo's peer info. */
export interface PeerOfClient {
  /** Its id. */
  readonly instance_id: InstanceId;
  /** Its worker address. */
  readonly worker_address: number[];
}

/** Where the data of a producer comes from: streams of its instance, or plain sockets. */
export type ProducerRoute =
  | {
    readonly transport: "stream";
    /** The instance. */
    readonly instance: InstanceId;
    /** How it is dialled; null if it does not listen. */
    readonly peer: PeerOfClient | null;
  }
  | {
    readonly transport: "plain";
    /** Where consumers connect. */
    readonly endpoint: string;
    /** The CURVE key of its sockets, Z85; null without keys. */
    readonly key: string | null;
  };

/** A channel, as the broker shows it. */
export interface ChannelView {
  /** Its name. */
  readonly name: string;
  /** How its messages travel. */
  readonly pattern: ChannelPattern;
  /** Whether its data comes over streams of messengers or over plain sockets. */
  readonly transport: "stream" | "plain";
  /** `pending` until its producer's first heartbeat; `closing` while consumers have to leave. */
  readonly state: "pending" | "ready" | "closing";
  /** Its schema, without the text. */
  readonly schema: Pick<SchemaView, "hash" | "version">;
  /** What its producer says of it. */
  readonly metadata: Record<string, unknown> | null;
  /** The name of the shared memory that it offers. */
  readonly sharedMemory: string | null;
  /** How many consumers are registered. */
  readonly consumers: number;
  /** Its producer. */
  readonly producer: ProcessInfo & {
    /** Its CURVE key, else its instance id. */
    readonly identity: string;
    /** Its instance. */
    readonly instance: string;
    /** Counts the producers that the channel had. */
    readonly epoch: number;
  };
}
