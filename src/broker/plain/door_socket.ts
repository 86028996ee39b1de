import type * as Zmq from "../../zmq/mod.ts";
import { bindError } from "./bind_error.ts";
import { checkKeys } from "./key_check.ts";

/** The keys of a door, and who may come in. */
export interface DoorKeys {
  readonly publicKey: string;
  readonly secretKey: string;
  /** Whether the owner of a key may connect; asked again at each message, so that a key can be taken back. */
  readonly allow: (key: string) => boolean;
}

/** How a door's socket is opened. */
export interface DoorSocketOptions {
  /** `tcp://HOST:PORT` (port 0: a free one) or `ipc://PATH`. */
  readonly endpoint: string;
  /** CURVE keys; null for none. */
  readonly curve: DoorKeys | null;
  /** The most bytes of a message's body, in both directions. @default {65_536} */
  readonly maxBodyBytes?: number | undefined;
  /** Messages that libzmq holds for a client in each direction; more to it are dropped. @default {1_000} */
  readonly highWaterMark?: number | undefined;
}

// An ended connection whose end nobody has told is noticed after this time, and its routing id is free again.
const heartbeatMs = 2_000;
const silenceMs = 6_000;
const lingerMs = 500;

/** A message that came through a door. */
export interface DoorMessage {
  /** The key of the connection; null without CURVE. */
  readonly key: string | null;
  /** The routing id, and what the client has sent. */
  readonly frames: readonly Uint8Array[];
}

/** The ROUTER of a door, in a context of its own, whose ZAP handler no other part of the program can replace. */
export class DoorSocket implements AsyncIterable<DoorMessage> {
  /** Messages that libzmq has taken. */
  sent = 0;
  /** Messages to clients that do not read. */
  droppedFull = 0;
  /** Messages to clients that are gone. */
  droppedGone = 0;
  readonly maxBodyBytes: number;
  readonly endpoint: string;
  readonly #context: Zmq.Context;
  readonly #router: Zmq.Router;
  readonly #keys: AsyncDisposable | null;

  private constructor(
    context: Zmq.Context,
    router: Zmq.Router,
    keys: AsyncDisposable | null,
    maxBodyBytes: number,
  ) {
    this.#context = context;
    this.#router = router;
    this.#keys = keys;
    this.maxBodyBytes = maxBodyBytes;
    this.endpoint = router.lastEndpoint!;
  }

  static async open(options: DoorSocketOptions): Promise<DoorSocket> {
    const { endpoint, curve, maxBodyBytes = 65_536, highWaterMark = 1_000 } = options;
    const zmq = await import("../../zmq/mod.ts");
    const context = new zmq.Context();
    let keys: AsyncDisposable | null = null;
    let router: Zmq.Router | null = null;
    try {
      if (curve !== null) keys = checkKeys(zmq, context, curve.allow);
      router = new zmq.Router({
        context,
        // A client without room is told by EAGAIN, one that is gone by EHOSTUNREACH.
        mandatory: true,
        sendTimeout: 0,
        // Without keys a program that comes back under its name is the same one. With keys nobody may take the name, and
        // with it the notices, of another one whose connection lives.
        handover: curve === null,
        linger: lingerMs,
        sendHighWaterMark: highWaterMark,
        receiveHighWaterMark: highWaterMark,
        // A body that is a little too long is answered; libzmq ends the connection of one that is much too long.
        maxMessageSize: 2 * maxBodyBytes,
        heartbeatInterval: heartbeatMs,
        heartbeatTimeout: silenceMs,
        heartbeatTimeToLive: silenceMs,
        ipv6: endpoint.includes("["),
        keepsUserId: curve !== null,
      });
      if (curve !== null) {
        router.zapDomain = "zeromesh.broker";
        router.curveServer = true;
        router.curveSecretKey = curve.secretKey;
      }
      await router.bind(endpoint);
      return new DoorSocket(context, router, keys, maxBodyBytes);
    } catch (error) {
      router?.close();
      await keys?.[Symbol.asyncDispose]();
      await context[Symbol.asyncDispose]();
      throw bindError(error, `Cannot open a door for foreign programs at ${endpoint}`);
    }
  }

  /** Sends a message, or counts it as dropped. */
  send(frames: Uint8Array[]): void {
    if (this.#router.closed) return;
    this.sent++;
    this.#router.send(frames).catch((error: { readonly code?: unknown }) => {
      this.sent--;
      if (error.code === "EAGAIN") this.droppedFull++;
      else this.droppedGone++;
    });
  }

  async *[Symbol.asyncIterator](): AsyncIterator<DoorMessage, undefined> {
    for await (const frames of this.#router) yield { key: this.#router.userId, frames };
  }

  async close(): Promise<void> {
    this.#router.close();
    await this.#keys?.[Symbol.asyncDispose]();
    await this.#context[Symbol.asyncDispose]();
  }
}
