/**
 * Connects by the package `@nats-io/transport-node`, with an error listener on each socket.
 *
 * The package removes all listeners of a socket that it drops. When the server has just hung up, as it does after
 * refusing a user, the runtime's error event comes later, has no listener and ends the process: on Deno with three of
 * twelve refused tokens.
 */
import type { ConnectionOptions, NatsConnection } from "@nats-io/transport-node";
import type { NodeTransport } from "@nats-io/transport-node/lib/node_transport.js";
import type { Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { ZeromeshError } from "../core/mod.ts";

/**
 * Connects to NATS.
 *
 * @param options The package's options.
 * @throws {ZeromeshError} `FEATURE_UNAVAILABLE` if the package is not installed.
 * @throws {Error} The package's error, if no server accepts the client.
 */
export async function connectToNats(options: ConnectionOptions): Promise<NatsConnection> {
  const { NatsConnectionImpl, setTransportFactory, NodeTransport, nodeResolveHost } = await loadClient();
  // The same as the package's own `connect`, with a transport that adds the listener.
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

// The user of the socket got the error from its own listener.
function ignore(): void {}
