import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { repositoryRoot } from "../test/support/runtime.ts";

/** How {@link runCommand} runs a program. */
export interface RunOptions {
  /** When to kill it and everything it started. */
  timeoutMs: number;
  /** Its variables; without this those of this process. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Where it runs. Without this the repository's root. */
  cwd?: string | undefined;
}

/** How a program ended. */
export interface RunResult {
  /** Its exit code; null when a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it. */
  readonly signal: string | null;
  /** What it wrote to both outputs, in the order it arrived. */
  readonly output: string;
  /** What it wrote to standard output alone. */
  readonly stdout: string;
  /** Whether it was killed because its time was up. */
  readonly timedOut: boolean;
  /** Processes it had started that were still there after its end (killed by now), as command lines. */
  readonly leftBehind: readonly string[];
  /** How long it ran. */
  readonly tookMs: number;
}

const running = new Set<ChildProcess>();

/** Runs a program in a process group of its own, without input, and ends the whole group afterwards. */
export async function runCommand(command: readonly string[], options: RunOptions): Promise<RunResult> {
  const [program, ...args] = command;
  if (program === undefined) throw new TypeError("Cannot run a program: the command is empty");
  const start = performance.now();
  const child = spawn(program, args, {
    cwd: options.cwd ?? repositoryRoot,
    env: definedOnly(options.env ?? process.env),
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  running.add(child);
  let output = "";
  let stdout = "";
  let timedOut = false;
  child.stdout?.setEncoding("utf8").on("data", (text: string) => {
    output += text;
    stdout += text;
  });
  child.stderr?.setEncoding("utf8").on("data", (text: string) => output += text);
  const watchdog = setTimeout(() => {
    timedOut = true;
    killGroup(child);
  }, options.timeoutMs);
  let leftBehind: string[] = [];
  let swept = Promise.resolve();
  const ended = await new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    const sweep = async (): Promise<void> => {
      if (!timedOut) leftBehind = await groupAfterGrace(child);
      killGroup(child);
    };
    child.once("error", (error) => {
      output += `${error.message}\n`;
      resolve({ code: 127, signal: null });
    });
    // A grandchild that outlives the program holds the pipes open: end it, then the output ends too.
    child.once("exit", () => swept = sweep());
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  await swept;
  clearTimeout(watchdog);
  running.delete(child);
  return { ...ended, output, stdout, timedOut, leftBehind, tookMs: performance.now() - start };
}

/** Ends everything that is running, for the exit of the tool itself. */
export function killAll(): void {
  for (const child of running) killGroup(child);
}

/** Makes a tool end its programs when it is told to end. */
export function killAllOnSignals(cleanup: () => void = () => {}): void {
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    process.once(signal, () => {
      killAll();
      cleanup();
      process.exit(code);
    });
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // Nobody is left in the group.
  }
}

/** Who is still in the group shortly after its leader's end. */
async function groupAfterGrace(child: ChildProcess): Promise<string[]> {
  for (let left = 10;; left--) {
    const members = groupMembers(child.pid ?? -1);
    if (members.length === 0 || left === 0) return members;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The command lines of a process group, from `/proc`; nothing where there is none. */
function groupMembers(group: number): string[] {
  let names: string[];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
  const members: string[] = [];
  for (const name of names) {
    try {
      // The command's name stands in parentheses and may hold spaces; the state and the group follow it.
      const fields = readFileSync(`/proc/${name}/stat`, "utf8").replace(/^.*\) /s, "").split(" ");
      if (Number(fields[2]) !== group || fields[0] === "Z") continue;
      members.push(readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim());
    } catch {
      // It ended meanwhile.
    }
  }
  return members;
}

function definedOnly(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}
