import type { Clock, Logger, Meter, Overflow } from "../core/mod.ts";
import type { RetryOptions } from "./calls/retry_options.ts";
import type { HostResolver } from "../transport/mod.ts";
import type { Feature } from "../wire/mod.ts";
import type { CurveOptions } from "./curve_options.ts";
import type { Authorize } from "./handlers/authorize.ts";
import type { Tracing } from "./observe/tracing.ts";

/** Policy for a message to a peer whose queue is full. */
export type SendOverflow = Extract<Overflow, "wait" | "fail">;

/** Options of `Messenger.create`. */
export interface MessengerOptions {
  /**
   * Endpoints to listen on: `tcp://HOST:PORT` (port 0: a free one) or `ipc://PATH`.
   * @default {"tcp://127.0.0.1:0"}
   */
  endpoint?: string | readonly string[] | undefined;
  /** False binds nothing: peers answer and call the instance over connections that it opened. @default {true} */
  listen?: boolean | undefined;
  /**
   * Whether a listening instance also listens for peers of its own host and user (Linux; without a file). Peers that
   * know its peer info use it automatically.
   * @default {true}
   */
  ipc?: boolean | undefined;
  /**
   * Resolves a host name to IP addresses, preferred first, for names that the system does not know. Called for each
   * dial, so that a service that moves is found again.
   * @default {the system's resolver, both address families}
   */
  resolveHost?: HostResolver | undefined;
  /** Encrypts every connection and binds instance ids to keys. @default {none: the network is trusted} */
  curve?: CurveOptions | undefined;
  /**
   * Decides who may call which handler: called for every message to a user's handler, before its payload is read.
   * `true`, or a promise of it, admits the message; everything else is `FORBIDDEN`. A handler's own `authorize` must
   * admit it, too. It is not called for the library's own handlers, whose names begin with `_`.
   * @default {all calls are allowed}
   */
  authorize?: Authorize | undefined;
  /** Time for which a lost peer is redialled in the background, in milliseconds; 0 for none. @default {60_000} */
  redialForMs?: number | undefined;
  /**
   * Time for which a peer that is gone is remembered, in milliseconds. Until then its id belongs to its CURVE key, and
   * another key under that id is `IDENTITY_MISMATCH`. After it, a peer that was not registered and cannot be dialled,
   * because it has no address or has said goodbye, is forgotten.
   * @default {redialForMs}
   */
  forgetAfterMs?: number | undefined;
  /**
   * Name of this instance: 1 to 64 ASCII letters, digits and `._:@/-`, beginning with a letter or digit. Peers see it
   * in `peers()`, `status()`, logs and errors.
   * @default {none}
   */
  name?: string | undefined;
  /** Host, or whole endpoint, that peers get instead of the bound one (port forwarding, wildcards). */
  advertise?: string | undefined;
  /** Instance id. Normally each process has a new one. @default {a new random UUID} */
  instanceId?: string | undefined;
  /** Path of a libzmq to load instead of searching for one. */
  library?: string | undefined;
  /** Logger; `console` fits. @default {none} */
  logger?: Logger | undefined;
  /** Meter: `prometheusMeter()` of `zeromesh/prometheus` or `otelMeter()` of `zeromesh/otel`. @default {none} */
  meter?: Meter | undefined;
  /** Tracing: `otelTracing()` of `zeromesh/otel`. @default {none} */
  tracing?: Tracing | undefined;
  /**
   * Values of a metric's label with an open set of values, such as handlers and peers. Further values are counted
   * together as `other`.
   * @default {200}
   */
  maxMetricLabels?: number | undefined;
  /** Default deadline of calls, in milliseconds. @default {30_000} */
  timeoutMs?: number | undefined;
  /** Default retries of calls. @default {none} */
  retry?: RetryOptions | undefined;
  /** Time for which a known peer is dialled before a call to it fails, in milliseconds. @default {5_000} */
  connectTimeoutMs?: number | undefined;
  /** Largest payload in bytes, in both directions. @default {67_108_864} */
  maxPayloadBytes?: number | undefined;
  /** Calls that wait for an answer, 1 to 65 535. @default {65_535} */
  maxPendingCalls?: number | undefined;
  /** Messages in the queue of one peer. @default {65_536} */
  maxQueuedMessages?: number | undefined;
  /** Bytes in the queue of one peer. @default {16_777_216} */
  maxQueuedBytes?: number | undefined;
  /** Policy at these limits: a send waits until its deadline, or fails. @default {"wait"} */
  overflow?: SendOverflow | undefined;
  /**
   * Connections dialled by peers, and peers known by them alone: a new one replaces the one that has been gone for
   * longest. As many peers may be registered, dialled or found beside them.
   * @default {16_384}
   */
  maxConnections?: number | undefined;
  /**
   * Connections that this instance dials to addresses of unregistered peers, to answer plain Velo; an eighth of the
   * process's descriptors is another limit. A further connection replaces one without a listener, or the least recently
   * used one.
   * @default {1_024}
   */
  maxStrangerDials?: number | undefined;
  /** Registered handlers. @default {65_536} */
  maxHandlers?: number | undefined;
  /** Peers' requests that wait for a handler of this instance; more are `OVERLOADED`. @default {16_384} */
  maxHandlerWaits?: number | undefined;
  /**
   * Concurrent requests of plain Velo peers whose payload is fetched from its sender, as Velo does above 256 KiB; more
   * are refused.
   * @default {256}
   */
  maxStagedRequests?: number | undefined;
  /** Memory for these payloads, in bytes; at the limit further requests wait. @default {268_435_456} */
  maxStagedBytes?: number | undefined;
  /**
   * Concurrent messages of all handlers together; a handler's own `concurrency` counts within it. A handler that waits
   * for another one of the same instance keeps its place.
   * @default {Infinity}
   */
  concurrency?: number | undefined;
  /**
   * Messages that wait for a handler or are being handled, of all senders. Further ones are answered `OVERLOADED`, or,
   * if they have no answer, dropped and counted. One handler gets at most eight ninths, one sender at most sixteen
   * seventeenths: so a sender that floods one handler still reaches others, and other senders reach all. System
   * handlers are exempt.
   * @default {131_072}
   */
  maxInFlightMessages?: number | undefined;
  /** Bytes of their payloads and of answers that have not left, shared in the same way. @default {268_435_456} */
  maxInFlightBytes?: number | undefined;
  /**
   * Bytes that one peer may occupy: its messages that wait for a handler or are being handled, unread items of its
   * streams, and answers that it has not read. Further calls of it are answered `OVERLOADED`. A single larger message is accepted when the peer holds
   * nothing else. Messages without an answer have their own limit (`maxCreditBytes`), which is at most this one.
   * Received bytes behind its own slow messages slow the reading of its connection above half of this, and end it above
   * twice this.
   * @default {33_554_432}
   */
  maxPeerBytes?: number | undefined;
  /**
   * Time without reading after which the connection of a peer with unread bytes is ended, in milliseconds.
   *
   * @default {30_000}
   */
  slowPeerMs?: number | undefined;
  /**
   * Sends to one peer that wait for room in its queue, or for its handlers to finish earlier messages. Further ones
   * fail with `QUEUE_FULL`; a loop that awaits its sends has one.
   * @default {32_768}
   */
  maxWaitingSends?: number | undefined;
  /** Bytes of their payloads, without those of calls; a single larger one may wait. @default {33_554_432} */
  maxWaitingBytes?: number | undefined;
  /**
   * Messages without an answer (`amSend`) that each sender may have unhandled here; at the limit it waits, or fails, by
   * its `overflow`. A sender begins with a small part of it, and gets more while handlers keep up. Applies between
   * instances with the feature `credit`. 1 to 1 048 576.
   * @default {65_536}
   */
  maxCreditMessages?: number | undefined;
  /** Bytes of their payloads, 1 to 4 294 967 296. @default {16_777_216} */
  maxCreditBytes?: number | undefined;
  /** libzmq's own queue for one peer, in messages, for sending and for receiving. @default {1_000} */
  highWaterMark?: number | undefined;
  /** Disables negotiated features: `{ batch: false }`. */
  features?: Partial<Record<Feature, boolean>> | undefined;
  /** Clock; for tests. */
  clock?: Clock | undefined;
  /** The kind of waiter; `"auto"` probes the runtime. @default {"auto"} */
  waiter?: "auto" | "loop" | "worker" | undefined;
}
