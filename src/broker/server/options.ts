import { type Logger, type Meter, option, type OptionTable } from "../../core/mod.ts";
import { type RegistryLimits, registryLimits } from "../registry/registry_client.ts";
import type { BrokerAuthorize } from "./access_rules.ts";

/** The CURVE keys of a broker. */
export interface BrokerKeys {
  /** Its public key, Z85. */
  publicKey: string;
  /** Its secret key, Z85. */
  secretKey: string;
}

/** Options of `Broker.start`. */
export interface BrokerOptions extends RegistryLimits {
  /** Endpoints to listen on: `tcp://HOST:PORT` (port 0: a free one) or `ipc://PATH`. @default {"tcp://127.0.0.1:0"} */
  endpoint?: string | readonly string[] | undefined;
  /**
   * Endpoint for foreign programs, which speak JSON in ZeroMQ frames: `tcp://HOST:PORT` (port 0: a free one) or
   * `ipc://PATH`. With keys it has CURVE, and the same keys may connect. @default {none}
   */
  plainEndpoint?: string | undefined;
  /** Host, or whole endpoint, that clients get instead of the bound one. */
  advertise?: string | undefined;
  /**
   * Its CURVE keys, such as `readKeyPair()` gives them. `false` uses none, also where others can reach it.
   * @default {none on loopback and IPC; else a pair that is made at the start, and logged}
   */
  keys?: BrokerKeys | false | undefined;
  /** Public keys, Z85, that may connect, or `"any"`; see `broker.allow()`. @default {"any"} */
  allow?: readonly string[] | "any" | undefined;
  /**
   * A file of such keys, one on a line, `#` before a remark. It is read again when it changes; a file that cannot be read
   * then changes nothing, and is logged.
   */
  allowFile?: string | undefined;
  /** Decides who may do what with which channel, such as `channelRules([…])`. @default {everybody everything} */
  authorize?: BrokerAuthorize | undefined;
  /** The time between two heartbeats of a client, in milliseconds. @default {2_000} */
  heartbeatMs?: number | undefined;
  /** Heartbeats that may be missed before a presence is gone, 1 to 1 000. @default {3} */
  missedHeartbeats?: number | undefined;
  /** Clients at a time; more are refused with `LIMIT_REACHED`. @default {16_384} */
  maxClients?: number | undefined;
  /** Notices that wait for one client; at the limit the oldest are dropped, and it is told how many. @default {16_384} */
  maxNotices?: number | undefined;
  /** Logger; `console` fits. @default {none} */
  logger?: Logger | undefined;
  /** Meter, such as `prometheusMeter()`. @default {none} */
  meter?: Meter | undefined;
  /** Closes the broker when it aborts. */
  signal?: AbortSignal | undefined;
}

/** The options of `Broker.start`. */
export const brokerOptionTable = {
  ...registryLimits,
  endpoint: option.textOrTexts.or("tcp://127.0.0.1:0"),
  plainEndpoint: option.text,
  advertise: option.text,
  keys: option.kind(
    "a pair of keys, or false",
    (value) => value === false || (typeof value === "object" && value !== null),
    { secret: true },
  ),
  allow: option.kind('an array of keys, or "any"', (value) => value === "any" || Array.isArray(value)),
  allowFile: option.text,
  authorize: option.function,
  heartbeatMs: option.interval.or(2_000),
  missedHeartbeats: option.whole(1, 1_000).or(3),
  maxClients: option.whole(1, 1_000_000).or(16_384),
  maxNotices: option.whole(1, 1_000_000).or(16_384),
  logger: option.logger,
  meter: option.meter,
  signal: option.signal,
} satisfies OptionTable<BrokerOptions>;
