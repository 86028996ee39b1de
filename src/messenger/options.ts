import type { Clock, Logger, Meter, Overflow } from "../core/mod.ts";
import type { RetryOptions } from "./calls/retry_options.ts";
import type { HostResolver } from "../transport/mod.ts";
import type { Feature } from "../wire/mod.ts";
import type { CurveOptions } from "./curve_options.ts";
import type { Authorize } from "./handlers/authorize.ts";
import type { Tracing } from "./observe/tracing.ts";

/** What happens to a message when the bounded queue of its peer is full. */
export type SendOverflow = Extract<Overflow, "wait" | "fail">;

/** Options of `Messenger.create`. */
export interface MessengerOptions {
  /**
   * Where to listen: `tcp://HOST:PORT` (port 0: any free one) or `ipc://PATH`; several are allowed.
   * @default {"tcp://127.0.0.1:0"}
   */
  endpoint?: string | readonly string[] | undefined;
  /** False binds nothing: the instance dials out and is answered and called over its own connections. @default {true} */
  listen?: boolean | undefined;
  /**
   * Whether a listening instance also listens for peers of its own host and user (Linux; without a file). Peers
   * known by their peer info come that way by themselves.
   * @default {true}
   */
  ipc?: boolean | undefined;
  /**
   * Finds the IP addresses of a host name, the one to try first in front: for names that the system does not know.
   * Asked at each dial, so that a service which moves is found again.
   * @default {the system's resolver, both address families}
   */
  resolveHost?: HostResolver | undefined;
  /** Encrypts every connection and binds instance ids to keys. @default {none: the network is trusted} */
  curve?: CurveOptions | undefined;
  /**
   * Says who may call which handler: asked about every message for a handler of the user's, before its payload is read.
   * `true`, or a promise of it, lets it in; everything else is `FORBIDDEN`. Where a handler has an `authorize` of its own,
   * both must say so. Handlers of the library's own, whose names begin with `_`, are not asked about.
   * @default {everybody may call everything}
   */
  authorize?: Authorize | undefined;
  /** How long a lost peer is redialled in the background, in milliseconds; 0 switches it off. @default {60_000} */
  redialForMs?: number | undefined;
  /**
   * How long, in milliseconds, a peer that is gone is remembered: until then its id belongs to the CURVE key that it
   * showed, and another key under that id is `IDENTITY_MISMATCH`. One that came by itself and cannot be dialled again,
   * because it has no address or has said goodbye, is no peer any more after that.
   * @default {redialForMs}
   */
  forgetAfterMs?: number | undefined;
  /**
   * What people call this instance: 1 to 64 letters, digits and `._:@/-` of ASCII, the first one a letter or a digit.
   * Others see it in `peers()`, `status()`, logs and errors.
   * @default {none}
   */
  name?: string | undefined;
  /** Host, or whole endpoint, that peers are told instead of the one bound (port forwarding, wildcards). */
  advertise?: string | undefined;
  /** The instance's id. A fresh one per process is the rule. @default {a new random UUID} */
  instanceId?: string | undefined;
  /** Path of a libzmq to load instead of searching for one. */
  library?: string | undefined;
  /** Where to log. `console` fits. @default {nowhere} */
  logger?: Logger | undefined;
  /** Where numbers go: `prometheusMeter()` of `zeromesh/prometheus`, `otelMeter()` of `zeromesh/otel`. @default {nowhere} */
  meter?: Meter | undefined;
  /** Where traces go: `otelTracing()` of `zeromesh/otel`. @default {nowhere} */
  tracing?: Tracing | undefined;
  /**
   * Values that a metric's label may have whose set of values is open: handlers, peers. Those that come later are
   * counted together, under `other`.
   * @default {200}
   */
  maxMetricLabels?: number | undefined;
  /** Deadline of a call that names none, in milliseconds. @default {30_000} */
  timeoutMs?: number | undefined;
  /** When calls that say nothing else are sent again. @default {never} */
  retry?: RetryOptions | undefined;
  /** How long a known peer is dialled before a call to it fails, in milliseconds. @default {5_000} */
  connectTimeoutMs?: number | undefined;
  /** Larger payloads are refused, in both directions, in bytes. @default {67_108_864} */
  maxPayloadBytes?: number | undefined;
  /** Calls that may wait for an answer at a time, 1 to 65 535. @default {65_535} */
  maxPendingCalls?: number | undefined;
  /** Messages that may wait in the queue of one peer. @default {65_536} */
  maxQueuedMessages?: number | undefined;
  /** Bytes that may wait in the queue of one peer. @default {16_777_216} */
  maxQueuedBytes?: number | undefined;
  /** What a send does when that queue is full: wait until its deadline, or fail at once. @default {"wait"} */
  overflow?: SendOverflow | undefined;
  /**
   * Connections that peers may have dialled, and peers that may be known by them alone: a newcomer takes the place of the
   * one that has been gone for longest. As many may be registered, dialled or found beside them.
   * @default {16_384}
   */
  maxConnections?: number | undefined;
  /**
   * Connections that this instance dials, to answer plain Velo, to addresses that peers named whom it was not told of: at
   * most so many at a time, and an eighth of the descriptors that the process may open. A further one takes the place of
   * one that leads nowhere, or was not used for longest.
   * @default {1_024}
   */
  maxStrangerDials?: number | undefined;
  /** Handlers that may be registered. @default {65_536} */
  maxHandlers?: number | undefined;
  /** Questions of others that may wait for a handler of this instance; more are `OVERLOADED`. @default {16_384} */
  maxHandlerWaits?: number | undefined;
  /**
   * Requests of plain Velo peers at a time whose payload is fetched from its sender, as Velo has it above 256 KiB;
   * more are refused.
   * @default {256}
   */
  maxStagedRequests?: number | undefined;
  /** Memory for these payloads, in bytes; where it is used up, the next ones wait. @default {268_435_456} */
  maxStagedBytes?: number | undefined;
  /**
   * Messages that all handlers together work on at a time; a handler's own `concurrency` counts within it. A handler
   * that waits for another one of the same instance holds its place meanwhile.
   * @default {Infinity}
   */
  concurrency?: number | undefined;
  /**
   * Messages that may wait for a handler or be worked on, of all senders. Further ones are answered `OVERLOADED`, or,
   * when nobody waits for an answer, dropped and counted. One handler alone gets eight ninths of it, one sender alone
   * sixteen seventeenths: so a sender that floods one handler still reaches the others, and other senders reach all.
   * Handlers of the system are not held up by it.
   * @default {131_072}
   */
  maxInFlightMessages?: number | undefined;
  /** Bytes of their payloads and of answers that have not left, divided in the same way. @default {268_435_456} */
  maxInFlightBytes?: number | undefined;
  /**
   * Bytes that one peer may take up here: of its messages that wait for a handler or are worked on, and of answers that it
   * has not read. Its further calls are answered `OVERLOADED`. A single message above it is taken when the peer holds
   * nothing else. What it may send without an answer has its own bound (`maxCreditBytes`), which is never above this one.
   * What has come of it and waits behind its own slow messages is read more slowly above half of this, and above twice
   * this its connection ends.
   * @default {33_554_432}
   */
  maxPeerBytes?: number | undefined;
  /** How long a peer may read nothing of what waits for it, in milliseconds, before its connection is ended. @default {30_000} */
  slowPeerMs?: number | undefined;
  /**
   * Sends to one peer that may wait at a time, for room in its queue or for its handlers to finish earlier messages.
   * Further ones fail with `QUEUE_FULL`: a loop that awaits its sends has one.
   * @default {32_768}
   */
  maxWaitingSends?: number | undefined;
  /** Bytes of their payloads, without those of calls; one may wait whatever its size. @default {33_554_432} */
  maxWaitingBytes?: number | undefined;
  /**
   * Messages that nobody answers (`amSend`) which each sender may have under way to here before their handlers have
   * finished; then it waits, or fails, as its `overflow` says. A sender gets a small part of it at first, and more
   * while handlers keep up. Between instances that both speak feature `credit`. 1 to 1 048 576.
   * @default {65_536}
   */
  maxCreditMessages?: number | undefined;
  /** Bytes of their payloads, 1 to 4 294 967 296. @default {16_777_216} */
  maxCreditBytes?: number | undefined;
  /** libzmq's own queue for one peer, in messages: what waits to be sent, and what a listener has not read. @default {1_000} */
  highWaterMark?: number | undefined;
  /** Switches negotiated features off: `{ batch: false }`. */
  features?: Partial<Record<Feature, boolean>> | undefined;
  /** Where time comes from; for tests. */
  clock?: Clock | undefined;
  /** How to wait for sockets; `"auto"` probes what the runtime can do. @default {"auto"} */
  waiter?: "auto" | "loop" | "worker" | undefined;
}
