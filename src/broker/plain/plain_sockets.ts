import { withDefaults } from "../../core/mod.ts";
import { dialableEndpoints } from "../../transport/mod.ts";
import type * as Zmq from "../../zmq/mod.ts";
import type { ChannelPattern } from "../contract.ts";
import type { ProducerRoute } from "../protocol/channel_view.ts";
import { checkKeys, type KeyCheck } from "./key_check.ts";
import { type PlainKeys, type PlainOptions, plainOptionTable } from "./plain_options.ts";
import { bindError } from "./bind_error.ts";

/** A route of plain data. */
export type PlainRoute = Extract<ProducerRoute, { transport: "plain" }>;

/** A socket that receives. */
export type PlainReader = Zmq.Pull | Zmq.Subscriber | Zmq.Dealer | Zmq.Router;
/** A socket that sends. */
export type PlainWriter = Zmq.Push | Zmq.Publisher | Zmq.Dealer | Zmq.Router;

// The frame of a message has a few bytes besides it.
const frameBytes = 128;

/** The socket of one side of a channel of plain data, in a context of its own. */
export interface PlainSocket {
  /** Receives; null if this side only sends. */
  readonly reader: PlainReader | null;
  /** Sends; null if this side only receives. */
  readonly writer: PlainWriter | null;
  /** Closes it; what libzmq has taken may still leave for so long. Resolves when that is over. */
  close(lingerMs: number): Promise<void>;
}

/** The socket of a producer, and where consumers find it. */
export interface BoundSocket extends PlainSocket {
  readonly route: PlainRoute;
}

/**
 * Opens the socket of a producer: PUSH, PUB or ROUTER.
 *
 * @param check Decides, with keys, who may connect.
 * @throws {ZeromeshError} `ADDRESS_IN_USE`, `ENDPOINT_INVALID`.
 */
export async function bindPlain(
  pattern: ChannelPattern,
  given: PlainOptions,
  maxMessageBytes: number,
  check: KeyCheck,
): Promise<BoundSocket> {
  const { endpoint, advertise, keys } = withDefaults(given, plainOptionTable);
  const zmq = await import("../../zmq/mod.ts");
  const context = new zmq.Context();
  let zap: AsyncDisposable | null = null;
  let socket: Zmq.Push | Zmq.Publisher | Zmq.Router | null = null;
  try {
    const settings = { context, ipv6: endpoint.includes("["), maxMessageSize: maxMessageBytes + frameBytes };
    if (pattern === "pipeline") socket = new zmq.Push(settings);
    else if (pattern === "pubsub") socket = new zmq.Publisher(settings);
    // A consumer without room is told by EAGAIN, and one that is not connected by EHOSTUNREACH.
    else socket = new zmq.Router({ ...settings, mandatory: true, handover: true, sendTimeout: 0 });
    if (keys !== undefined) {
      zap = checkKeys(zmq, context, check);
      socket.zapDomain = "zeromesh.channel";
      socket.curveServer = true;
      socket.curveSecretKey = (keys as PlainKeys).secretKey;
    }
    await socket.bind(endpoint);
    const [dialable = socket.lastEndpoint!] = dialableEndpoints(socket.lastEndpoint!, advertise);
    const route = {
      transport: "plain",
      endpoint: dialable,
      key: (keys as PlainKeys | undefined)?.publicKey ?? null,
    } as const;
    const reader = pattern === "bidirectional" ? socket as Zmq.Router : null;
    return { ...closable(context, socket, zap), reader, writer: socket, route };
  } catch (error) {
    socket?.close();
    await zap?.[Symbol.asyncDispose]();
    await context[Symbol.asyncDispose]();
    throw bindError(error, `Cannot open a channel of plain data at ${endpoint}`);
  }
}

/** The socket of a consumer, which can go to another producer. */
export interface ConnectedSocket extends PlainSocket {
  /** Connects to a producer, and leaves the one before. @throws {ZeromeshError} `ENDPOINT_INVALID`. */
  connect(route: PlainRoute): void;
}

/**
 * Opens the socket of a consumer: PULL, SUB or DEALER.
 *
 * @param presence The consumer's number, which is its routing id: a producer knows it by that.
 * @param keys Its own keys; null: a new pair where the producer has keys.
 */
export async function connectPlain(
  pattern: ChannelPattern,
  presence: number,
  keys: PlainKeys | null,
  maxMessageBytes: number,
): Promise<ConnectedSocket> {
  const zmq = await import("../../zmq/mod.ts");
  const context = new zmq.Context();
  const settings = { context, maxMessageSize: maxMessageBytes + frameBytes, ipv6: true };
  let socket: Zmq.Pull | Zmq.Subscriber | Zmq.Dealer;
  let writer: Zmq.Dealer | null = null;
  if (pattern === "pipeline") socket = new zmq.Pull(settings);
  else if (pattern === "pubsub") {
    const subscriber = socket = new zmq.Subscriber(settings);
    subscriber.subscribe();
  } else socket = writer = new zmq.Dealer({ ...settings, routingId: String(presence) });
  let current: string | null = null;
  return {
    ...closable(context, socket, null),
    reader: socket,
    writer,
    connect({ endpoint, key }) {
      if (current !== null) socket.disconnect(current);
      current = null;
      if (key !== null) {
        const own = keys ?? zmq.curveKeyPair();
        socket.curveServerKey = key;
        socket.curvePublicKey = own.publicKey;
        socket.curveSecretKey = own.secretKey;
      }
      try {
        socket.connect(endpoint);
        current = endpoint;
      } catch (error) {
        throw bindError(error, `Cannot connect to the producer at ${endpoint}`);
      }
    },
  };
}

function closable(
  context: Zmq.Context,
  socket: Zmq.Socket,
  zap: AsyncDisposable | null,
): Pick<PlainSocket, "close"> {
  return {
    async close(lingerMs) {
      if (socket.closed) return;
      socket.linger = Math.min(lingerMs, 2 ** 31 - 1);
      socket.close();
      await zap?.[Symbol.asyncDispose]();
      await context[Symbol.asyncDispose]();
    },
  };
}
