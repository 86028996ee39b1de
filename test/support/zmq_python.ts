/** A Python process whose pyzmq sockets the tests of `zeromesh/zmq` talk to. */
import { execFileSync } from "node:child_process";
import { spawnCommand, type SpawnedProcess } from "./spawn.ts";

const script = "test/interop/python/zmq_peer.py";

/** A Python that has pyzmq, or null. */
function findPython(): string | null {
  for (const program of ["/usr/bin/python3", "python3"]) {
    try {
      execFileSync(program, ["-c", "import zmq"], { stdio: "ignore" });
      return program;
    } catch {
      // the next one
    }
  }
  return null;
}

const python = findPython();

/** Why there is no Python for the tests; false when there is one. */
export const noPython: string | false = python === null
  ? "no python3 with pyzmq (Debian: python3-zmq)"
  : false;

/** The keys of a socket: with `serverKey` those of a client, without it those of a server. */
export interface PeerKeys {
  readonly publicKey: string;
  readonly secretKey: string;
  readonly serverKey?: string;
}

/** How a socket is opened. */
export interface PeerOptions {
  /** The endpoint to connect to; without it the socket binds to a free port. */
  readonly connect?: string | undefined;
  readonly keys?: PeerKeys | undefined;
  readonly routingId?: string | undefined;
}

/** A socket of pyzmq. */
export class PythonSocket {
  readonly #peer: PythonPeer;
  readonly #name: string;
  /** Where it is bound; empty when it connects. */
  readonly endpoint: string;

  constructor(peer: PythonPeer, name: string, endpoint: string) {
    this.#peer = peer;
    this.#name = name;
    this.endpoint = endpoint;
  }

  async send(parts: readonly Uint8Array[]): Promise<void> {
    await this.#peer.ask({ do: "send", name: this.#name, parts: parts.map((part) => part.toHex()) });
  }

  async receive(): Promise<Uint8Array[]> {
    const { parts } = await this.#peer.ask({ do: "receive", name: this.#name });
    return (parts as string[]).map((part) => Uint8Array.fromHex(part));
  }

  async close(): Promise<void> {
    await this.#peer.ask({ do: "close", name: this.#name });
  }
}

/** The process. It does one thing after another. */
export class PythonPeer implements AsyncDisposable {
  readonly #child: SpawnedProcess = spawnCommand([python!, "-u", script]);
  #last: Promise<unknown> = Promise.resolve();
  #sockets = 0;

  /** Opens a socket of a type in libzmq's spelling. */
  async open(type: string, options: PeerOptions = {}): Promise<PythonSocket> {
    const name = `${type}${++this.#sockets}`;
    const { endpoint = "" } = await this.ask({
      do: "open",
      name,
      type,
      bind: options.connect === undefined,
      ...options,
    });
    return new PythonSocket(this, name, endpoint as string);
  }

  /** Has it do something. */
  ask(command: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const answered = this.#last.then(async () => {
      this.#child.write(`${JSON.stringify(command)}\n`);
      const { value = "{}" } = await this.#child.stdout.next();
      const answer = JSON.parse(value as string) as Record<string, unknown>;
      if (answer["error"] !== undefined) {
        throw new Error(`Python: ${answer["error"]} ${this.#child.errorText}`);
      }
      return answer;
    });
    this.#last = answered.catch(() => {});
    return answered;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}
