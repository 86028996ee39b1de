/** Starts the second process of an example, on the runtime that runs this one. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A second process that listens. Disposing of it ends the process and waits for its end. */
export interface PeerProcess extends AsyncDisposable {
  /** Its process id. */
  readonly pid: number;
  /** Where it listens. */
  readonly endpoint: string;
}

/** The text that a process of {@link startPeerProcess} prints when it can be called; its endpoint follows. */
export const listening = "listening on ";

const startTimeoutMs = 15_000;
const endTimeoutMs = 5_000;

/** The runtime and its version, such as `Bun 1.4.5`. */
export function runtimeName(): string {
  const { bun, deno } = process.versions as Readonly<Record<string, string | undefined>>;
  return bun === undefined ? `Deno ${deno}` : `Bun ${bun}`;
}

/**
 * Starts a script and waits until it prints where it listens.
 *
 * The script ends when its standard input does, which happens even when this process is killed.
 */
export async function startPeerProcess(script: URL, args: readonly string[] = []): Promise<PeerProcess> {
  const child = spawn(process.execPath, [...runtimeArguments(), fileURLToPath(script), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`could not be started: ${error.message}`));
    child.once(
      "close",
      (code, signal) => resolve(`ended with ${signal ?? `exit code ${code}`} before it listened`),
    );
  });
  try {
    const endpoint = await firstEndpoint(child, ended);
    return { pid: child.pid ?? -1, endpoint, [Symbol.asyncDispose]: () => end(child, ended) };
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

/** Resolves when the parent wants this process, started by {@link startPeerProcess}, to end. */
export function toldToEnd(): Promise<void> {
  return new Promise((resolve) => process.stdin.resume().once("end", resolve).once("error", () => resolve()));
}

/** The arguments between the runtime and the script: on Deno, the permissions that the library needs. */
function runtimeArguments(): string[] {
  const onDeno = "deno" in process.versions;
  return onDeno ? ["run", "--quiet", "--no-prompt", "--allow-ffi", "--allow-read", "--allow-env"] : ["run"];
}

async function firstEndpoint(child: ChildProcess, ended: Promise<string>): Promise<string> {
  const found = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (line.startsWith(listening)) resolve(line.slice(listening.length));
      else console.log(line);
    });
  });
  const failed = ended.then((how) => {
    throw new Error(`The second process ${how}`);
  });
  return await inTime(Promise.race([found, failed]), startTimeoutMs, "for the second process to listen");
}

async function end(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.stdin?.end();
  try {
    await inTime(ended, endTimeoutMs, "for the second process to end");
  } catch {
    child.kill("SIGKILL");
    await ended;
  }
}

async function inTime<T>(promise: Promise<T>, timeoutMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Waited ${timeoutMs / 1000} s in vain ${what}`)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
