/**
 * Programs of `links_*_test.ts`: `links_peer.ts ROLE [ARGUMENT…]`. What they say stands on lines of its own, the first
 * word says what it is.
 */
import process from "node:process";
import { Worker, workerData } from "node:worker_threads";
import {
  amHandler,
  type InstanceId,
  Messenger,
  type MessengerOptions,
  unaryHandler,
} from "../../../src/mod.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

function say(...words: readonly unknown[]): void {
  console.log(words.join(" "));
}

/** One turn of the event loop. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Listens and says where; `echo` answers, `hold` never does, `note` counts, `counts` tells what came. */
async function serve(endpoint?: string, options: MessengerOptions = {}): Promise<Messenger> {
  const messenger = await Messenger.create({ ...(endpoint === undefined ? {} : { endpoint }), ...options });
  let [held, noted] = [0, 0];
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  messenger.registerHandler(unaryHandler("hold", () => {
    held++;
    return new Promise<never>(() => {});
  }));
  messenger.registerHandler(unaryHandler("slow", async ({ payload }) => {
    await pause(Number(decoder.decode(payload)));
    return payload;
  }));
  messenger.registerHandler(amHandler("note", () => void noted++));
  messenger.registerHandler(unaryHandler("counts", () => encoder.encode(JSON.stringify({ held, noted }))));
  say("ready", messenger.endpoint, messenger.instanceId);
  return messenger;
}

/** Fire-and-forget messages and calls without end, so that libzmq's threads are busy. */
function traffic(messenger: Messenger, peer: InstanceId): void {
  const payload = new Uint8Array(500);
  const pump = (): void => {
    for (let i = 0; i < 50; i++) {
      messenger.amSend("note", { to: peer, rawPayload: payload }).catch(() => {});
      messenger.unary("echo", { to: peer, rawPayload: payload }).catch(() => {});
    }
    setTimeout(pump, 0);
  };
  pump();
}

const roles: Record<string, (...args: string[]) => Promise<void>> = {
  /** Serves until it is killed; `close`, `exit` or `unref` on standard input. */
  async serve(endpoint) {
    const messenger = await serve(endpoint);
    process.stdin.on("data", (text: Uint8Array | string) => {
      const command = String(text).trim();
      if (command === "close") {
        process.stdin.destroy();
        void messenger.close();
      } else if (command === "exit") process.exit(0);
    });
  },

  /** Answers so many calls of `last`, each a little later, and ends: by `close()`, or by `process.exit` alone. */
  async answer(count, how) {
    const messenger = await serve();
    let left = Number(count);
    messenger.registerHandler(unaryHandler("last", async ({ payload }) => {
      await turn();
      if (--left === 0) {
        queueMicrotask(() =>
          setImmediate(() => {
            if (how === "exit") process.exit(0);
            else void messenger.close();
          })
        );
      }
      return payload;
    }));
  },

  /** Listens and does nothing more: stays. */
  async listen() {
    await serve();
  },
  /** Listens, and says that it is not worth staying for. */
  async unref() {
    const messenger = await serve();
    messenger.unref();
  },
  /** Listens and closes. */
  async close() {
    const messenger = await serve();
    await messenger.close();
    say("closed");
  },
  /** Listens and leaves the scope. */
  async using() {
    await using messenger = await serve();
    void messenger;
  },
  /** Calls once without listening, and then has nothing more to do. */
  async client(endpoint, ms) {
    const messenger = await Messenger.create({ listen: false });
    const peer = await messenger.connect(endpoint!);
    const answer = await messenger.unary("slow", { to: peer, rawPayload: encoder.encode(ms) });
    say("answered", decoder.decode(answer));
  },
  /** Calls without listening; the call alone keeps it. */
  async inFlight(endpoint, ms) {
    const messenger = await Messenger.create({ listen: false });
    const peer = await messenger.connect(endpoint!);
    messenger.unary("slow", { to: peer, rawPayload: encoder.encode(ms) }).then(() => say("answered"));
    say("called");
  },

  /** Sends so many messages and ends in the same breath. */
  async fireAndExit(endpoint, count, how) {
    const messenger = await Messenger.create({ listen: how !== "client" ? true : false });
    const peer = await messenger.connect(endpoint!);
    for (let i = 0; i < Number(count); i++) {
      const sent = messenger.amSend("note", {
        to: peer,
        rawPayload: new Uint8Array(how === "large" ? 10_000 : 20),
      });
      if (how === "awaited") await sent;
    }
    process.exit(0);
  },
  /** Sends so many messages, more than the other end takes at a time, while messages come; and ends, one way or the other. */
  async fireAndEnd(endpoint, count, how) {
    const messenger = await Messenger.create({ features: { credit: false } });
    messenger.registerHandler(amHandler("back", () => {}));
    const peer = await messenger.connect(endpoint!);
    for (let i = 0; i < Number(count); i++) {
      messenger.amSend("note", { to: peer, rawPayload: new Uint8Array(5_000) }).catch(() => {});
    }
    if (how === "exit") process.exit(0);
    if (how === "close") await messenger.close();
  },
  /** Sends so many messages, waits until libzmq has them, and ends. */
  async flushAndExit(endpoint, count) {
    const messenger = await Messenger.create();
    const peer = await messenger.connect(endpoint!);
    for (let i = 0; i < Number(count); i++) {
      void messenger.amSend("note", { to: peer, rawPayload: new Uint8Array(200) });
    }
    await messenger.flush(peer);
    process.exit(0);
  },

  /** Dies of an error that nobody catches, with messages under way in both directions. */
  async uncaught() {
    const server = await serve();
    const client = await Messenger.create();
    traffic(client, await client.connect(server.endpoint));
    setTimeout(() => {
      throw new Error("on purpose");
    }, 30);
  },
  /** Dies of an error in a handler's own timer. */
  async rejected() {
    const server = await serve();
    const client = await Messenger.create();
    traffic(client, await client.connect(server.endpoint));
    setTimeout(() => void Promise.reject(new Error("on purpose")), 30);
  },
  /** Listens under traffic until somebody sends a signal. */
  async busy() {
    const server = await Messenger.create();
    server.registerHandler(unaryHandler("echo", ({ payload }) => payload));
    server.registerHandler(amHandler("note", () => {}));
    const client = await Messenger.create();
    traffic(client, await client.connect(server.endpoint));
    say("ready");
  },
  /** Closes on the first SIGTERM, as a service does. */
  async graceful() {
    const messenger = await serve();
    process.once("SIGTERM", () => {
      messenger.close().then(() => say("closed"));
    });
  },

  /** Two instances, one of them in a Worker, call each other; then both are closed. */
  async worker() {
    const server = await serve();
    const worker = new Worker(new URL(import.meta.url), {
      workerData: { role: "inWorker", endpoint: server.endpoint },
    });
    const id = await new Promise<string>((resolve, reject) => {
      worker.once("error", reject);
      worker.on("message", (message: { id?: string; error?: string }) => {
        if (message.error !== undefined) reject(new Error(message.error));
        else if (message.id !== undefined) resolve(message.id);
      });
    });
    const answers = await Promise.all(
      Array.from(
        { length: 200 },
        (_, i) => server.unary("fromWorker", { to: id as InstanceId, rawPayload: encoder.encode(String(i)) }),
      ),
    );
    say("answers", answers.filter((answer, i) => decoder.decode(answer) === `worker ${i}`).length);
    worker.postMessage("close");
    await new Promise((resolve) => worker.once("exit", resolve));
    await server.close();
    say("closed");
  },
  /** An instance in a Worker that is terminated in the middle of its work; the other one goes on. */
  async terminated(rounds) {
    const server = await serve();
    for (let round = 0; round < Number(rounds); round++) {
      const worker = new Worker(new URL(import.meta.url), {
        workerData: { role: "inWorker", endpoint: server.endpoint, busy: true },
      });
      const id = await new Promise<string>((resolve, reject) => {
        worker.once("error", reject);
        worker.on(
          "message",
          (message: { id?: string }) => message.id === undefined ? null : resolve(message.id),
        );
      });
      // On Linux the loss is known within the heartbeat bound.
      const timeoutMs = process.platform === "linux" ? 4_000 : 400;
      const pending = server.unary("never", { to: id as InstanceId, timeoutMs });
      const outcome = pending.then(() => "answered", (error: { code?: string }) => error.code);
      await pause(20);
      await worker.terminate();
      say("outcome", await outcome);
    }
    const self = await server.unary("echo", { to: server.instanceId, rawPayload: encoder.encode("fine") });
    say("self", decoder.decode(self));
    await server.close();
    say("closed");
    process.exit(0);
  },
};

async function inWorker({ endpoint, busy }: { endpoint: string; busy?: boolean }): Promise<void> {
  const { parentPort } = await import("node:worker_threads");
  const messenger = await Messenger.create();
  messenger.registerHandler(
    unaryHandler("fromWorker", ({ payload }) => encoder.encode(`worker ${decoder.decode(payload)}`)),
  );
  messenger.registerHandler(unaryHandler("never", () => new Promise<never>(() => {})));
  const peer = await messenger.connect(endpoint);
  const echo = await messenger.unary("echo", { to: peer, rawPayload: encoder.encode("x") });
  if (decoder.decode(echo) !== "x") throw new Error("the echo is another");
  parentPort?.on("message", (command: string) => {
    if (command !== "close") return;
    parentPort.close();
    void messenger.close();
  });
  parentPort?.postMessage({ id: messenger.instanceId });
  if (busy === true) traffic(messenger, peer);
}

const task = workerData as { role?: string; endpoint: string; busy?: boolean } | null | undefined;
if (task?.role === "inWorker") {
  const { parentPort } = await import("node:worker_threads");
  await inWorker(task).catch((error) => parentPort?.postMessage({ error: String(error) }));
} else {
  const [role = "", ...args] = process.argv.slice(2);
  await roles[role]?.(...args);
}
