import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { repositoryRoot } from "../test/support/runtime.ts";

/** Options of {@link runCommand}. */
export interface RunOptions {
  /** Time after which it and its children are killed, in milliseconds. */
  timeoutMs: number;
  /** Environment. @default {this process's} */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Working directory. @default {the repository's root} */
  cwd?: string | undefined;
}

/** The result of a program. */
export interface RunResult {
  /** Exit code; null after a signal. */
  readonly code: number | null;
  /** The signal that ended it. */
  readonly signal: string | null;
  /** Output of both streams, in order of arrival. */
  readonly output: string;
  /** Standard output alone. */
  readonly stdout: string;
  /** Whether it was killed at its timeout. */
  readonly timedOut: boolean;
  /** Command lines of its processes that were left after its end, and killed. */
  readonly leftBehind: readonly string[];
  /** Duration in milliseconds. */
  readonly tookMs: number;
  /** Processor time of the program and its descendants, in seconds; 0 without `/proc`. */
  readonly usedSeconds: number;
}

const running = new Set<ChildProcess>();

/** Runs a program in its own process group, without input, and ends the whole group afterwards. */
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
  let usedSeconds = 0;
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
    // A grandchild that outlives the program keeps the pipes open: killing it ends the output.
    child.once("exit", () => {
      usedSeconds = usedSinceLastEnd();
      swept = sweep();
    });
    child.once("close", (code, signal) => resolve({ code, signal }));
  });
  await swept;
  clearTimeout(watchdog);
  running.delete(child);
  return { ...ended, output, stdout, timedOut, leftBehind, tookMs: performance.now() - start, usedSeconds };
}

/** Processor time of the ended descendants of this process, in seconds; 0 without `/proc`. */
export function processorSeconds(): number {
  try {
    // The command's name is in parentheses and may hold spaces; the state is the third field.
    const fields = readFileSync("/proc/self/stat", "utf8").replace(/^.*\) /s, "").split(" ");
    // The unit is a hundredth of a second on every Linux.
    return (Number(fields[13]) + Number(fields[14])) / 100;
  } catch {
    return 0;
  }
}

let seen = 0;

/** Processor time of the program that has just ended: the system adds it to the sum at its end. */
function usedSinceLastEnd(): number {
  const sum = processorSeconds();
  const used = sum - seen;
  seen = sum;
  return used;
}

/** Kills all running programs, when the tool itself exits. */
export function killAll(): void {
  for (const child of running) killGroup(child);
}

/** Kills the running programs when the tool gets a signal. */
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
    // The group is empty.
  }
}

/** The processes still in the group shortly after its leader's end. */
async function groupAfterGrace(child: ChildProcess): Promise<string[]> {
  for (let left = 10;; left--) {
    const members = groupMembers(child.pid ?? -1);
    if (members.length === 0 || left === 0) return members;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** The command lines of a process group, from `/proc`; empty without it. */
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
      // The command's name is in parentheses and may hold spaces; the state and the group follow it.
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
