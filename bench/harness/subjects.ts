/** The library on each runtime, and each baseline: the programs and their requirements. */
import { connect } from "node:net";
import { freePort } from "../../test/support/ports.ts";
import {
  productPermissions,
  repositoryRoot,
  type RuntimeName,
  scriptCommand,
} from "../../test/support/runtime.ts";
import { pause } from "../../test/support/until.ts";
import type { SubjectName, TransportName } from "./bench_result.ts";
import { type Command, PeerProcess } from "./peer_process.ts";
import { builtForNode, compiled, installed, natsServer, nodeProgram, Unavailable } from "./preparation.ts";
import type { Settings } from "./settings.ts";

/** The work of a subject; `socketCalls` and `socketSends` use the library's ZeroMQ sockets instead of a messenger. */
export type Work = "calls" | "sends" | "hold" | "socketCalls" | "socketSends";

/** The arguments of a subject's program, `name=value`. */
export type ProgramArguments = Readonly<Record<string, string | number>>;

/** A measurable subject. */
export interface Subject {
  /** Its transports. */
  readonly transports: readonly TransportName[];
  /** Why it cannot do this work, or null. */
  lacks(work: Work): string | null;
  /** The server's program. */
  server(work: Work, args: ProgramArguments): Promise<Command>;
  /** The client's program. */
  client(work: Work, args: ProgramArguments): Promise<Command>;
  /** The server's endpoint, with port 0 if that works. */
  endpoint(transport: TransportName, settings: Settings): Promise<string>;
  /** A process between the two. */
  broker?(endpoint: string): Promise<PeerProcess>;
}

const bench = `${repositoryRoot}/bench`;
const startTimeoutMs = 10_000;
let sockets = 0;

// The NATS server does not read its input: the shell that becomes it leaves a background reader.
const endWithInput = 'exec 3<&0; (while read -r _ <&3; do :; done; kill $$) & exec "$@"';

function words(args: ProgramArguments): string[] {
  return Object.entries(args).map(([name, value]) => `${name}=${value}`);
}

function script(
  runtime: RuntimeName,
  path: string,
  args: ProgramArguments,
  permissions?: readonly string[],
): Command {
  const [program = "", ...rest] = scriptCommand(runtime, `${bench}/${path}`, {
    args: words(args),
    permissions,
  });
  return { program, args: rest };
}

function zmqEndpoint(anyPort: string): Subject["endpoint"] {
  return (transport, settings) =>
    Promise.resolve(transport === "tcp" ? anyPort : `ipc://${settings.folder}/s${sockets++}`);
}

async function portEndpoint(prefix: string): Promise<string> {
  return `${prefix}${await freePort()}`;
}

function isSends(work: Work): boolean {
  return work === "sends" || work === "socketSends";
}

/** The baseline's program for the npm package, with the library's module in its place. */
function socketScript(runtime: RuntimeName, work: Work, role: string, args: ProgramArguments): Command {
  const module = `file://${repositoryRoot}/src/zmq/mod.ts`;
  const all = { role, module, ...(isSends(work) ? { sends: 1 } : {}), ...args };
  return script(runtime, "baseline/zeromq/peer.ts", all);
}

function library(caller: RuntimeName, callee: RuntimeName): Subject {
  const program = (runtime: RuntimeName, work: Work, role: "server" | "client", args: ProgramArguments) =>
    Promise.resolve(
      work.startsWith("socket")
        ? socketScript(runtime, work, role, args)
        : script(runtime, work === "hold" && role === "client" ? "peer/holder.ts" : `peer/${role}.ts`, args),
    );
  return {
    transports: ["tcp", "ipc"],
    lacks: () => null,
    server: (work, args) => program(callee, work, "server", args),
    client: (work, args) => program(caller, work, "client", args),
    endpoint: zmqEndpoint("tcp://127.0.0.1:0"),
  };
}

async function cProgram(work: Work, role: string, args: ProgramArguments): Promise<Command> {
  const program = await compiled(isSends(work) ? "sends" : "calls");
  return { program, args: words({ role, ...args, ...(work === "hold" ? { heartbeatMs: 1_000 } : {}) }) };
}

const c: Subject = {
  transports: ["tcp", "ipc"],
  lacks: () => null,
  server: (work, args) => cProgram(work, "server", args),
  client: (work, args) => cProgram(work, work === "hold" ? "hold" : "client", args),
  endpoint: zmqEndpoint("tcp://127.0.0.1:*"),
};

async function nodeScript(name: string, work: Work, role: string, args: ProgramArguments): Promise<Command> {
  const program = await nodeProgram();
  const [packages, path] = await Promise.all([installed(name), builtForNode(name)]);
  const all = { role, packages, ...(isSends(work) ? { sends: 1 } : {}), ...args };
  return { program, args: [path, ...words(all)] };
}

const zeromq: Subject = {
  transports: ["tcp", "ipc"],
  lacks: (work) => work === "hold" ? "not measured idle" : null,
  server: (work, args) => nodeScript("zeromq", work, "server", args),
  client: (work, args) => nodeScript("zeromq", work, "client", args),
  endpoint: zmqEndpoint("tcp://127.0.0.1:*"),
};

const grpc: Subject = {
  transports: ["tcp"],
  lacks: (work) => work === "sends" ? "it has no message without an answer" : notIdle(work),
  server: (work, args) => nodeScript("grpc", work, "server", args),
  client: (work, args) => nodeScript("grpc", work, "client", args),
  endpoint: () => Promise.resolve("127.0.0.1:0"),
};

async function natsScript(role: string, args: ProgramArguments): Promise<Command> {
  await natsServer();
  return script("bun", "baseline/nats/peer.ts", { role, packages: await installed("nats"), ...args });
}

const nats: Subject = {
  transports: ["tcp"],
  lacks: notIdle,
  server: (_, args) => natsScript("server", args),
  client: (_, args) => natsScript("client", args),
  endpoint: () => portEndpoint("nats://127.0.0.1:"),
  async broker(endpoint) {
    const { port } = new URL(endpoint);
    const words = [await natsServer(), "--addr", "127.0.0.1", "--port", port];
    const args = ["-c", endWithInput, "sh", ...words];
    const broker = new PeerProcess("nats-server", { program: "sh", args });
    await portOpen(Number(port));
    return broker;
  },
};

const http: Subject = {
  transports: ["tcp"],
  lacks: (work) => work === "sends" ? "it has no message without an answer" : notIdle(work),
  server: (_, args) => Promise.resolve(script("bun", "baseline/http/server.ts", args)),
  client: (_, args) => {
    // Without this, at most 256 calls are in flight.
    const env = { BUN_CONFIG_MAX_HTTP_REQUESTS: "2048" };
    return Promise.resolve({ ...script("bun", "baseline/http/client.ts", args), env });
  },
  endpoint: () => portEndpoint("http://127.0.0.1:"),
};

function notIdle(work: Work): string | null {
  return work === "hold" ? "not measured idle" : null;
}

/** All subjects. */
export const subjects: Readonly<Record<SubjectName, Subject>> = {
  bun: library("bun", "bun"),
  deno: library("deno", "deno"),
  mixed: library("bun", "deno"),
  c,
  zeromq,
  nats,
  grpc,
  http,
};

/** Waits until a port of this host accepts connections. */
async function portOpen(port: number): Promise<void> {
  for (const start = performance.now();;) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (open) return;
    if (performance.now() - start > startTimeoutMs) throw new Unavailable(`nothing listens on port ${port}`);
    await pause(10);
  }
}

/** The program that floods one peer and calls another; of the library only. */
export function flooderCommand(subject: SubjectName, args: ProgramArguments): Command {
  return script(subject === "deno" ? "deno" : "bun", "peer/flooder.ts", args);
}

/** The leader of a cohort, on the caller's runtime, or one of its workers, on the server's. */
export function cohortCommand(
  subject: SubjectName,
  role: "leader" | "worker",
  args: ProgramArguments,
): Command {
  const onDeno = subject === "deno" || (subject === "mixed" && role === "worker");
  return script(onDeno ? "deno" : "bun", `peer/cohort_${role}.ts`, args);
}

/** A program of streams: the client on the caller's runtime, the server on the other's. It can collect its garbage. */
export function streamCommand(
  subject: SubjectName,
  role: "server" | "client",
  args: ProgramArguments,
): Command {
  return measuredProgram(subject, `stream_${role}`, role === "server", args);
}

/** The same of actors; `local` is a program without a server, on the caller's runtime. */
export function actorCommand(
  subject: SubjectName,
  role: "server" | "client" | "local",
  args: ProgramArguments,
): Command {
  return measuredProgram(subject, `actor_${role}`, role === "server", args);
}

function measuredProgram(
  subject: SubjectName,
  name: string,
  serves: boolean,
  args: ProgramArguments,
): Command {
  const onDeno = subject === "deno" || (subject === "mixed" && serves);
  const permissions = [...productPermissions, "--v8-flags=--expose-gc"];
  return script(onDeno ? "deno" : "bun", `peer/${name}.ts`, args, permissions);
}

/** An empty program on the caller's runtime. */
export function helloCommand(subject: SubjectName): Command {
  return script(subject === "deno" ? "deno" : "bun", "peer/hello.ts", {});
}
