/** A Rust node on the published crate `velo`, driven over its stdin and stdout; see `test/interop/velo`. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import { type EventHandle, eventHandle, type InstanceId, type PeerInfoJson } from "../../src/mod.ts";
import type { StreamTicket } from "../../src/streams/mod.ts";
import type { LeakCheck } from "./fixture.ts";
import { repositoryRoot } from "./runtime.ts";
import { spawnCommand, type SpawnedProcess } from "./spawn.ts";
import { until } from "./until.ts";

/** The folder of the crate. */
export const veloCrate = `${repositoryRoot}/test/interop/velo`;

/** Where the build lies: in the user's cache, one folder for each set of locked crates. */
export function veloTarget(): string {
  const cache = process.env["XDG_CACHE_HOME"] ?? `${process.env["HOME"] ?? ""}/.cache`;
  const lock = createHash("sha256").update(readFileSync(`${veloCrate}/Cargo.lock`)).digest("hex").slice(
    0,
    16,
  );
  return `${cache}/zeromesh/velo-${lock}`;
}

/** Whether a build can be made. */
export function hasCargo(): boolean {
  return spawnSync("cargo", ["--version"], { stdio: "ignore" }).status === 0;
}

const program = `${veloTarget()}/release/velo-node`;

/** Why there is no Rust node, or false: a build is there, or `npm run test:interop` can make one. */
export const noVeloNode: string | false = !hasCargo() && !existsSync(program)
  ? "no cargo to build the Rust node with (https://rustup.rs)"
  : !existsSync(program)
  ? "the Rust node could not be built; see the output of tools/testing/build_velo.ts"
  : false;

/** Facts and counters of a node. */
export interface VeloCounts {
  readonly notes: number;
  readonly notedBytes: number;
  readonly waiting: number;
  readonly staged: number;
}

/** One call of a node. */
export interface VeloCall {
  readonly pattern: "send" | "sync" | "unary" | "typed";
  readonly handler: string;
  readonly to: string;
  readonly text?: string;
  readonly size?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
}

/** The report of a node about an answer of bytes. */
export interface VeloAnswer {
  readonly size: number;
  readonly same: boolean;
  readonly text: string | null;
}

/** The payload that a node makes for `size`. */
export function veloBytes(size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  for (let index = 0; index < size; index++) bytes[index] = index * 31 % 251;
  return bytes;
}

/** A running node. */
export class VeloNode {
  readonly instanceId: InstanceId;
  readonly endpoint: string;
  readonly peerInfo: PeerInfoJson;
  readonly #process: SpawnedProcess;
  #lastId = 0;

  private constructor(
    child: SpawnedProcess,
    ready: { instanceId: InstanceId; endpoint: string; peerInfo: PeerInfoJson },
  ) {
    this.#process = child;
    this.instanceId = ready.instanceId;
    this.endpoint = ready.endpoint;
    this.peerInfo = ready.peerInfo;
  }

  /** Starts a node, which ends with the test; with discovery files, it can look into them and write there. */
  static async open(
    t: LeakCheck,
    endpoint = "tcp://127.0.0.1:0",
    files?: { readonly peers: string; readonly services: string },
    env: Readonly<Record<string, string>> = {},
  ): Promise<VeloNode> {
    const paths = files === undefined ? [] : [files.peers, files.services];
    const child = t.use(spawnCommand([program, endpoint, ...paths], { env }));
    const line = JSON.parse(await child.waitForLine("ready")) as {
      ready: { instanceId: InstanceId; endpoint: string; peerInfo: PeerInfoJson };
    };
    return new VeloNode(child, line.ready);
  }

  /** Has the node do something; rejects with the text of its error. */
  async run(what: string, options: object = {}, timeoutMs = 30_000): Promise<unknown> {
    const id = ++this.#lastId;
    this.#process.write(`${JSON.stringify({ id, do: what, ...options })}\n`);
    const line = await this.#process.waitForLine(new RegExp(`"id":${id}[,}]`), timeoutMs);
    const answer = JSON.parse(line) as { ok?: unknown; error?: string };
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.ok;
  }

  /** Calls; the answer of bytes as the node describes it, or the JSON of a typed one. */
  call(call: VeloCall): Promise<unknown> {
    return this.run("call", call);
  }

  /** Calls a handler that answers bytes. */
  async unary(handler: string, to: string, rest: Partial<VeloCall> = {}): Promise<VeloAnswer> {
    return await this.call({ pattern: "unary", handler, to, ...rest }) as VeloAnswer;
  }

  /** Counters; `staged` counts which of these payloads are still kept. */
  async counts(staged: readonly number[] = []): Promise<VeloCounts> {
    return await this.run("counts", { staged }) as VeloCounts;
  }

  /** Makes an event of the node. */
  async newEvent(): Promise<EventHandle> {
    return eventHandle(await this.run("event", { event: "new" }) as string);
  }

  /** Does something with an event, of whichever instance. */
  event(event: string, handle: EventHandle, options: object = {}): Promise<unknown> {
    return this.run("event", { event, handle: String(handle), timeoutMs: 10_000, ...options });
  }

  /** Does something with a stream. */
  stream(stream: string, options: object = {}): Promise<unknown> {
    return this.run("stream", { stream, timeoutMs: 10_000, ...options });
  }

  /** Makes an anchor of the node, and returns its handle. */
  async newAnchor(options: object = {}): Promise<string> {
    return await this.stream("anchor", { many: false, ...options }) as string;
  }

  /** Reads frames of an anchor of the node: so many, or fewer with `"end"` as the last one. */
  async readAnchor(handle: string, count: number): Promise<unknown[]> {
    return await this.stream("read", { handle, count }) as unknown[];
  }

  /** Attaches a sender of the node. Returns its number for the node's commands, and at an anchor for many. */
  async newSender(handle: string): Promise<{ readonly sender: number; readonly number: number | null }> {
    return await this.stream("attach", { handle }) as { sender: number; number: number | null };
  }

  /** Makes a ticket for an anchor of the node. */
  async newTicket(handle: string): Promise<StreamTicket> {
    return await this.stream("prebind", { handle }) as StreamTicket;
  }

  /** Makes a sender of the node by a ticket. */
  async openSender(handle: string, ticket: StreamTicket): Promise<{ readonly sender: number }> {
    return await this.stream("open", { handle, ticket }) as { sender: number };
  }

  /** Does something with its discovery files. */
  discovery(discovery: string, options: object = {}): Promise<unknown> {
    return this.run("discovery", { discovery, ...options });
  }

  /** Waits for a counter. */
  async untilCount(name: "notes" | "waiting", value: number): Promise<void> {
    await until(async () => (await this.counts())[name] >= value, { timeoutMs: 10_000 });
    assert.equal((await this.counts())[name], value);
  }

  /** Ends the process at once. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }
}
