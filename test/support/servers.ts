/** Servers that tests start themselves, on free ports, with their data in the run's temporary folder. */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { connect } from "node:net";
import process from "node:process";
import { freePort } from "./ports.ts";
import { spawnCommand, type SpawnedProcess } from "./spawn.ts";
import { until } from "./until.ts";

/** A server that can be stopped, killed and started again where it was. */
export interface TestServer extends AsyncDisposable {
  /** Where its clients connect. */
  readonly url: string;
  /** The port of {@link url}. */
  readonly port: number;
  /** Its process now. */
  readonly process: SpawnedProcess;
  /** Kills it, or does nothing if it does not run. */
  kill(): Promise<void>;
  /** Starts it again with the same data, and waits until it serves. */
  start(): Promise<void>;
}

/** The path of a program, or null where it is not installed. */
export function programPath(name: string): string | null {
  for (const folder of [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/bin"]) {
    try {
      if (readdirSync(folder).includes(name)) return `${folder}/${name}`;
    } catch {
      // Not every entry of PATH is there, or may be read.
    }
  }
  return null;
}

/** Why tests that want a program are skipped, or false where it is there. */
export function missing(name: string): string | false {
  return programPath(name) === null ? `${name} is not installed` : false;
}

/** Starts etcd with more arguments, such as those for TLS. */
export async function startEtcd(
  options: { args?: readonly string[]; scheme?: "http" | "https" } = {},
): Promise<TestServer> {
  const { args = [], scheme = "http" } = options;
  const [port, peerPort] = [await freePort(), await freePort()];
  const folder = mkdtempSync(`${tmpdir()}/etcd-`);
  const url = `${scheme}://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${peerPort}`;
  const command = [
    programPath("etcd") ?? "etcd",
    `--data-dir=${folder}/data`,
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--listen-peer-urls=${peerUrl}`,
    `--initial-advertise-peer-urls=${peerUrl}`,
    `--initial-cluster=default=${peerUrl}`,
    ...args,
  ];
  return await startServer(
    command,
    url,
    port,
    folder,
    /ready to serve client requests|serving (?:insecure )?client/,
  );
}

/** Has etcd do something beside the library, through its JSON gateway. */
export async function callEtcd(
  server: { readonly url: string },
  path: string,
  body: unknown,
): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.url}${path}`, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { connection: "close" },
  });
  const answer = await response.json() as Record<string, unknown>;
  if (response.status !== 200) throw new Error(`etcd refuses ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

/** Starts nats-server with more arguments. */
export async function startNats(options: { args?: readonly string[] } = {}): Promise<TestServer> {
  const port = await freePort();
  const folder = mkdtempSync(`${tmpdir()}/nats-`);
  const command = [
    programPath("nats-server") ?? "nats-server",
    "-a",
    "127.0.0.1",
    "-p",
    String(port),
    ...options.args ?? [],
  ];
  return await startServer(command, `nats://127.0.0.1:${port}`, port, folder, /Server is ready/);
}

async function startServer(
  command: readonly string[],
  url: string,
  port: number,
  folder: string,
  ready: RegExp,
): Promise<TestServer> {
  let running: SpawnedProcess | null = null;
  const server: TestServer = {
    url,
    port,
    get process() {
      if (running === null) throw new Error(`${command[0]} does not run`);
      return running;
    },
    async kill() {
      await running?.kill();
      running = null;
    },
    async start() {
      const started = running = spawnCommand(command);
      await until(() => {
        if (started.ended !== undefined) throw new Error(`${command[0]} ended: ${started.errorText}`);
        return ready.test(started.errorText + started.outputText);
      }, { timeoutMs: 20_000, message: () => `${command[0]} to serve: ${started.errorText}` });
      await until(() => accepts(port), { timeoutMs: 10_000, message: `${url} to accept connections` });
    },
    async [Symbol.asyncDispose]() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await server.start();
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
  return server;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
