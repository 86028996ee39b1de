/**
 * The npm package `zeromq` on Node, or a module with its interface: DEALER and ROUTER for calls, PUSH and PULL for messages
 * without an answer.
 */
import { Buffer } from "node:buffer";
import { createRequire } from "node:module";
import { runClient, runServer } from "../../peer/measure.ts";
import { Arguments } from "../../peer/protocol.ts";

// The used part of the package. It is installed on demand, so its own types may be absent.
interface Socket extends AsyncIterable<Uint8Array[]> {
  bind(endpoint: string): Promise<void>;
  connect(endpoint: string): void;
  send(frames: Uint8Array | Uint8Array[]): Promise<void>;
  close(): void;
  readonly lastEndpoint: string | null;
}
type SocketClass = new (options?: { sendHighWaterMark?: number; receiveHighWaterMark?: number }) => Socket;

interface ZeroMq {
  readonly version: string;
  readonly Dealer: SocketClass;
  readonly Router: SocketClass;
  readonly Push: SocketClass;
  readonly Pull: SocketClass;
}

const args = new Arguments();
const module = args.text("module", "");
const zmq = (module === "" ? createRequire(args.text("packages"))("zeromq") : await import(module)) as ZeroMq;
const unlimited = { sendHighWaterMark: 0, receiveHighWaterMark: 0 };
const sends = args.flag("sends");

async function echo(router: Socket): Promise<void> {
  for await (const frames of router) await router.send(frames);
}

/** `zeromq` refuses a second send during the first, so sends go through one queue. */
class Dealer {
  readonly #socket = new zmq.Dealer(unlimited);
  readonly #waiting = new Map<number, (answer: Uint8Array) => void>();
  readonly #queue: Uint8Array[][] = [];
  #sending = false;
  #last = 0;

  constructor(endpoint: string) {
    this.#socket.connect(endpoint);
    void this.#receive();
  }

  call(payload: Uint8Array): Promise<Uint8Array> {
    const id = ++this.#last % 0x1_0000_0000;
    const header = Buffer.allocUnsafe(4);
    header.writeUInt32LE(id);
    this.#queue.push([header, payload]);
    if (!this.#sending) void this.#send();
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  close(): Promise<void> {
    this.#socket.close();
    return Promise.resolve();
  }

  async #send(): Promise<void> {
    this.#sending = true;
    for (let frames = this.#queue.shift(); frames !== undefined; frames = this.#queue.shift()) {
      await this.#socket.send(frames);
    }
    this.#sending = false;
  }

  async #receive(): Promise<void> {
    for await (const [header, payload] of this.#socket) {
      const id = Buffer.from(header!.buffer, header!.byteOffset, 4).readUInt32LE();
      this.#waiting.get(id)?.(payload!);
      this.#waiting.delete(id);
    }
  }
}

if (args.text("role") === "server") {
  await runServer(async (_, receipts) => {
    const socket = sends ? new zmq.Pull() : new zmq.Router(unlimited);
    await socket.bind(args.text("endpoint"));
    const serve = async (): Promise<void> => {
      if (!sends) return await echo(socket);
      for await (const _ of socket) receipts.count();
    };
    void serve();
    return { endpoints: [socket.lastEndpoint ?? ""], library: zmq.version };
  });
} else if (sends) {
  await runClient(() => {
    const push = new zmq.Push();
    push.connect(args.text("endpoints"));
    let tail: Promise<void> = Promise.resolve();
    return Promise.resolve({
      call: () => Promise.reject(new TypeError("A PUSH gets no answer")),
      sizeOf: () => 0,
      send: (payload: Uint8Array) => tail = tail.then(() => push.send(payload)),
      flush: () => tail,
      close: () => Promise.resolve(push.close()),
    });
  });
} else {
  await runClient(() => {
    const dealer = new Dealer(args.text("endpoints"));
    return Promise.resolve({
      call: (payload: Uint8Array) => dealer.call(payload),
      sizeOf: (answer: Uint8Array) => answer.length,
      close: () => dealer.close(),
    });
  });
}
