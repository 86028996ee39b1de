import type * as Zmq from "../../zmq/mod.ts";
import { encodeZ85 } from "../../libzmq/mod.ts";

const zapEndpoint = "inproc://zeromq.zap.01";

/** Decides whether the owner of a public key, Z85, may connect. It neither throws nor rejects. */
export type KeyCheck = (key: string) => boolean | Promise<boolean>;

/**
 * Answers libzmq's questions about the clients of a context's CURVE servers, and names each connection by its key. It is there
 * before the first socket binds. A connection waits until its question is answered: one that is refused does not try again.
 *
 * @returns What ends it.
 */
export function checkKeys(zmq: typeof Zmq, context: Zmq.Context, check: KeyCheck): AsyncDisposable {
  const socket = new zmq.Router({ context, linger: 0 });
  socket.bindSync(zapEndpoint);
  const ended = answerAll(socket, check);
  return {
    async [Symbol.asyncDispose]() {
      socket.close();
      await ended;
    },
  };
}

async function answerAll(socket: Zmq.Router, check: KeyCheck): Promise<void> {
  for await (const [asker, , version, id, , , , mechanism, key] of socket) {
    const isKey = String(mechanism) === "CURVE" && key?.length === 32;
    const name = isKey ? encodeZ85(key) : "";
    const answer = (admitted: boolean): void => {
      if (socket.closed) return;
      const status = admitted ? ["200", "OK", name] : ["400", "key not allowed", ""];
      void socket.send([asker ?? null, null, version ?? null, id ?? null, ...status, null]);
    };
    const admitted = isKey && check(name);
    if (admitted instanceof Promise) void admitted.then(answer);
    else answer(admitted);
  }
}
