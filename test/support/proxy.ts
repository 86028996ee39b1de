import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** A direction through the proxy: `up` goes to the target, `down` comes back from it. */
export type Direction = "up" | "down";

/** A proxy of {@link startProxy}. */
export interface CuttingProxy extends AsyncDisposable {
  /** The port it listens on. */
  readonly port: number;
  /** `tcp://127.0.0.1:PORT`. */
  readonly endpoint: string;
  /** The number of connections that go through it now. */
  readonly connections: number;
  /** The number of connections that it has accepted. */
  readonly accepted: number;
  /** Bytes it has handed on. */
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Ends every connection on both sides; with `reset` by RST instead of FIN. New ones are accepted. */
  cut(options?: { reset?: boolean | undefined }): void;
  /** While true, new connections are closed at once. */
  refusing: boolean;
  /** Stops handing bytes on, while connections stay up: what a lost network looks like. */
  pause(direction?: Direction): void;
  /** Hands on what was held back, and everything after it. */
  resume(direction?: Direction): void;
  /** Throws bytes of a direction away instead of handing them on. */
  drop(direction: Direction, on: boolean): void;
  /** Holds each piece back so long before it is handed on. 0 is off. */
  delayMs: number;
  /** Closes one direction of every connection and leaves the other. */
  halfClose(direction: Direction): void;
  /** Cuts everything and stops listening. */
  close(): Promise<void>;
}

/** Where a proxy leads. */
export interface ProxyOptions {
  /** The port of 127.0.0.1 it connects to. */
  targetPort: number;
  /** The port to listen on. @default {0} */
  port?: number | undefined;
}

/**
 * A TCP proxy on 127.0.0.1 that can be told to misbehave.
 *
 * @param options Where it leads.
 */
export async function startProxy(options: ProxyOptions): Promise<CuttingProxy> {
  const server = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", () => resolve());
  });
  return new TcpProxy(server, options.targetPort);
}

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
  /** The chunks that a direction still has to pass on, in order. */
  readonly queue: Record<Direction, Piece[]>;
}

interface Piece {
  /** The bytes, or null for the end of the direction. */
  readonly bytes: Uint8Array | null;
  readonly due: number;
}

class TcpProxy implements CuttingProxy {
  refusing = false;
  delayMs = 0;
  accepted = 0;
  readonly bytes: Record<Direction, number> = { up: 0, down: 0 };
  readonly port: number;
  readonly #server: Server;
  readonly #targetPort: number;
  readonly #pairs = new Set<Pair>();
  readonly #paused: Record<Direction, boolean> = { up: false, down: false };
  readonly #dropping: Record<Direction, boolean> = { up: false, down: false };
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  #closed: Promise<void> | undefined;

  constructor(server: Server, targetPort: number) {
    this.#server = server;
    this.#targetPort = targetPort;
    this.port = (server.address() as AddressInfo).port;
    server.on("connection", (client) => this.#accept(client));
  }

  get endpoint(): string {
    return `tcp://127.0.0.1:${this.port}`;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  cut(options: { reset?: boolean | undefined } = {}): void {
    for (const pair of [...this.#pairs]) this.#end(pair, options.reset ?? false);
  }

  pause(direction?: Direction): void {
    for (const one of directions(direction)) this.#paused[one] = true;
  }

  resume(direction?: Direction): void {
    for (const one of directions(direction)) this.#paused[one] = false;
    for (const pair of this.#pairs) for (const one of directions(direction)) this.#flush(pair, one);
  }

  drop(direction: Direction, on: boolean): void {
    this.#dropping[direction] = on;
  }

  halfClose(direction: Direction): void {
    for (const pair of this.#pairs) sink(pair, direction).end();
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.cut();
      for (const timer of this.#timers) clearTimeout(timer);
      this.#timers.clear();
    });
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(client: Socket): void {
    this.accepted++;
    client.on("error", () => {});
    if (this.refusing || this.#closed !== undefined) {
      client.destroy();
      return;
    }
    const target = connect({ port: this.#targetPort, host: "127.0.0.1", allowHalfOpen: true });
    const pair: Pair = { client, target, queue: { up: [], down: [] } };
    this.#pairs.add(pair);
    target.on("error", () => this.#end(pair, false));
    for (const direction of directions()) {
      const from = direction === "up" ? client : target;
      from.setNoDelay(true);
      from.on("data", (bytes: Uint8Array) => this.#take(pair, direction, bytes));
      from.on("end", () => this.#take(pair, direction, null));
      from.on("close", () => {
        // What was read before a plain end still goes on; an abrupt end ends the other side too.
        if (pair.queue[direction].length === 0) this.#end(pair, false);
      });
    }
  }

  #take(pair: Pair, direction: Direction, bytes: Uint8Array | null): void {
    if (bytes !== null && this.#dropping[direction]) return;
    pair.queue[direction].push({ bytes, due: performance.now() + this.delayMs });
    if (this.delayMs > 0) this.#later(() => this.#flush(pair, direction), this.delayMs);
    else this.#flush(pair, direction);
  }

  #flush(pair: Pair, direction: Direction): void {
    const queue = pair.queue[direction];
    while (!this.#paused[direction] && queue[0] !== undefined) {
      const wait = queue[0].due - performance.now();
      if (wait > 0) return this.#later(() => this.#flush(pair, direction), wait);
      const piece = queue.shift();
      if (piece === undefined) return;
      const to = sink(pair, direction);
      // A direction that halfClose() ended takes no more; what still arrives for it is lost.
      if (to.writableEnded) continue;
      if (piece.bytes === null) {
        to.end();
      } else {
        this.bytes[direction] += piece.bytes.byteLength;
        to.write(piece.bytes);
      }
    }
  }

  #later(fn: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      fn();
    }, ms);
    this.#timers.add(timer);
  }

  #end(pair: Pair, reset: boolean): void {
    if (!this.#pairs.delete(pair)) return;
    for (const socket of [pair.client, pair.target]) {
      if (reset && !socket.destroyed) socket.resetAndDestroy();
      else socket.destroy();
    }
  }
}

function sink(pair: Pair, direction: Direction): Socket {
  return direction === "up" ? pair.target : pair.client;
}

function directions(direction?: Direction): readonly Direction[] {
  return direction === undefined ? ["up", "down"] : [direction];
}
