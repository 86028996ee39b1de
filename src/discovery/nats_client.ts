/**
 * Connects the package `@nats-io/transport-node`, with sockets whose errors always have a listener.
 *
 * The package takes all listeners off a socket it lets go of. Where the server has hung up a moment before (it does
 * when it refuses a user), the runtime's report of that comes after it, finds nobody and ends the process: on Deno
 * with three of twelve refused tokens.
 */
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import type { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";
import type { Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { ZeromeshError } from "../core/mod.ts";

/**
 * Connects to NATS.
 *
 * @param options As the package takes them.
 * @throws {ZeromeshError} `FEATURE_UNAVAILABLE` if the package is not installed.
 * @throws {Error} The package's, if no server takes the client.
 */
export async function connectToNats(options: ConnectionOptions): Promise<NatsConnection> {
  const { NatsConnectionImpl, setTransportFactory, NodeTransport, nodeResolveHost } = await loadClient();
  // What the package's own `connect` does, with a transport that watches over its sockets.
  setTransportFactory({
    factory: () => watched(new NodeTransport()),
    dnsResolveFn: nodeResolveHost,
  });
  return await NatsConnectionImpl.connect(options);
}

async function loadClient() {
  try {
    const { NatsConnectionImpl, setTransportFactory } = await import("@nats-io/transport-node");
    const { NodeTransport, nodeResolveHost } = await import("@nats-io/transport-node/lib/node_transport.js");
    return { NatsConnectionImpl, setTransportFactory, NodeTransport, nodeResolveHost };
  } catch (error) {
    throw new ZeromeshError(
      "FEATURE_UNAVAILABLE",
      "Cannot use NATS: the package @nats-io/transport-node is not installed; add it to the project",
      { cause: error },
    );
  }
}

function watched(transport: NodeTransport): NodeTransport {
  let socket = transport.socket;
  Object.defineProperty(transport, "socket", {
    get: () => socket,
    set: (next: Socket | undefined) => {
      if (next !== undefined && next !== socket) keepListener(next);
      socket = next!;
    },
  });
  // The package's own leaves the socket without a listener between the handshake and the assignment above.
  transport.startTLS = () => startTls(transport);
  return transport;
}

function startTls({ socket, tlsName, options }: NodeTransport): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secured = connectTls({ socket, servername: tlsName, ...options.tls }, () => {
      secured.removeAllListeners();
      resolve(secured);
    });
    let failure: Error | undefined;
    secured.on("error", (error) => failure = error);
    secured.on("close", () => reject(failure ?? new Error("the server hung up during the TLS handshake")));
    keepListener(secured);
  });
}

function keepListener(socket: Socket): void {
  const removeAll = socket.removeAllListeners.bind(socket);
  socket.removeAllListeners = (event?: string | symbol) => {
    if (event === undefined) removeAll();
    else removeAll(event);
    return socket.on("error", ignore);
  };
  socket.on("error", ignore);
}

// Whoever used the socket has been told by its own listener.
function ignore(): void {}
