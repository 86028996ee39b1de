/** Processes with sockets of other bindings, which the tests of `zeromesh/zmq` talk to: pyzmq, and `zeromq` on Node. */
import { execFileSync } from "node:child_process";
import { repositoryRoot } from "./runtime.ts";
import { spawnCommand, type SpawnedProcess } from "./spawn.ts";

/** The first program that runs this, or null. */
function find(programs: readonly string[], args: readonly string[]): string | null {
  for (const program of programs) {
    try {
      execFileSync(program, args, { stdio: "ignore", cwd: repositoryRoot });
      return program;
    } catch {
      // the next one
    }
  }
  return null;
}

/** Another binding of libzmq. */
export interface Binding {
  /** Its name in titles. */
  readonly name: string;
  /** The command of its process, or the reason why there is none. */
  readonly command: readonly string[] | string;
}

/** pyzmq. */
export function pyzmq(): Binding {
  const python = find(["/usr/bin/python3", "python3"], ["-c", "import zmq"]);
  const command = python === null
    ? "no python3 with pyzmq (Debian: python3-zmq)"
    : [python, "-u", "test/interop/python/zmq_peer.py"];
  return { name: "pyzmq", command };
}

/** The npm package `zeromq` on Node. */
export function zeromqOnNode(): Binding {
  // Bun may put itself into PATH as `node`.
  const check = "if (process.versions.bun) process.exit(1); require('zeromq')";
  const node = find(["node", "/usr/bin/node", "/usr/local/bin/node"], ["-e", check]);
  const command = node === null
    ? "no Node with the package zeromq"
    : [node, "test/interop/node/zmq_peer.mjs"];
  return { name: "zeromq on Node", command };
}

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

/** A socket of another binding. */
export class ForeignSocket {
  readonly #peer: ForeignPeer;
  readonly #name: string;
  /** Where it is bound; empty when it connects. */
  readonly endpoint: string;

  constructor(peer: ForeignPeer, name: string, endpoint: string) {
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
export class ForeignPeer implements AsyncDisposable {
  readonly #child: SpawnedProcess;
  #last: Promise<unknown> = Promise.resolve();
  #sockets = 0;

  constructor({ command }: Binding) {
    this.#child = spawnCommand(command as readonly string[]);
  }

  /** Opens a socket of a type in libzmq's spelling. */
  async open(type: string, options: PeerOptions = {}): Promise<ForeignSocket> {
    const name = `${type}${++this.#sockets}`;
    const { endpoint = "" } = await this.ask({
      do: "open",
      name,
      type,
      bind: options.connect === undefined,
      ...options,
    });
    return new ForeignSocket(this, name, endpoint as string);
  }

  /** Has it do something. */
  ask(command: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>> {
    const answered = this.#last.then(async () => {
      this.#child.write(`${JSON.stringify(command)}\n`);
      const { value = "{}" } = await this.#child.stdout.next();
      const answer = JSON.parse(value as string) as Record<string, unknown>;
      if (answer["error"] !== undefined) {
        throw new Error(`There: ${answer["error"]} ${this.#child.errorText}`);
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
