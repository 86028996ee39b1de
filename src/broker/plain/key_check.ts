import type * as Zmq from "../../zmq/mod.ts";
import { encodeZ85 } from "../../libzmq/mod.ts";

const zapEndpoint = "inproc://zeromq.zap.01";

/** Decides whether the owner of a public key, Z85, may connect. */
export type KeyCheck = (key: string) => boolean;

/**
 * Answers libzmq's questions about the clients of a context's CURVE servers, and names each connection by its key. It is there
 * before the first socket binds.
 *
 * @returns What ends it.
 */
export function checkKeys(zmq: typeof Zmq, context: Zmq.Context, check: KeyCheck): AsyncDisposable {
  const socket = new zmq.Reply({ context, linger: 0 });
  socket.bindSync(zapEndpoint);
  const ended = answer(socket, check);
  return {
    async [Symbol.asyncDispose]() {
      socket.close();
      await ended;
    },
  };
}

async function answer(socket: Zmq.Reply, check: KeyCheck): Promise<void> {
  for await (const [version, id, , , , mechanism, key] of socket) {
    const isKey = String(mechanism) === "CURVE" && key?.length === 32;
    const name = isKey ? encodeZ85(key) : "";
    const admitted = isKey && check(name);
    const status = admitted ? ["200", "OK", name] : ["400", "key not allowed", ""];
    await socket.send([version ?? null, id ?? null, ...status, null]);
  }
}
