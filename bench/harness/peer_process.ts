import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import { repositoryRoot } from "../../test/support/runtime.ts";
import type { Said } from "../peer/protocol.ts";

/** A program with its arguments. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

type Kind = Said["type"];
type SaidOf<K extends Kind> = Extract<Said, { type: K }>;

const running = new Set<ChildProcess>();
const endTimeoutMs = 3_000;

/** Kills all measured programs, stopped ones too. */
export function killPeers(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** A measured program. Disposing it ends it and waits for its exit. */
export class PeerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #what: string;
  readonly #arrived: Said[] = [];
  readonly #ended: Promise<void>;
  #errors = "";
  #end: string | null = null;
  #wake: () => void = () => {};

  /** @param what Its description for error messages. */
  constructor(what: string, command: Command) {
    this.#what = what;
    this.#child = spawn(command.program, [...command.args], {
      cwd: repositoryRoot,
      env: { ...process.env, NO_COLOR: "1", ...command.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const child = this.#child;
    running.add(child);
    this.#ended = new Promise((resolve) => {
      const end = (how: string): void => {
        this.#end ??= how;
        running.delete(child);
        this.#wake();
        resolve();
      };
      child.once("error", (error) => end(`could not be started: ${error.message}`));
      child.once("close", (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`));
    });
    // A program that has ended takes no commands; its exit is reported elsewhere.
    child.stdin?.on("error", () => {});
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors = (this.#errors + text).slice(-2_000);
    });
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const said = parse(line);
      if (said === null) this.#errors = `${this.#errors}${line}\n`.slice(-2_000);
      else this.#arrived.push(said);
      this.#wake();
    });
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Sends a command. */
  tell(command: string): void {
    this.#child.stdin?.write(`${command}\n`);
  }

  /** Suspends, resumes or kills it. */
  signal(name: "SIGSTOP" | "SIGCONT" | "SIGKILL"): void {
    this.#child.kill(name);
  }

  /** The next message; an error when it ends, sends another kind or takes too long. */
  async hear<K extends Kind>(kind: K, timeoutMs: number): Promise<SaidOf<K>> {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#wake();
    }, timeoutMs);
    try {
      for (;;) {
        const said = this.#arrived.shift();
        if (said?.type === kind) return said as SaidOf<K>;
        if (said !== undefined) throw this.#failure(`said "${said.type}" instead of "${kind}"`);
        if (this.#end !== null) throw this.#failure(this.#end);
        if (late) throw this.#failure(`did not say "${kind}" within ${timeoutMs / 1000} s`);
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Sends a command and waits for the answer. */
  ask<K extends Kind>(command: string, kind: K, timeoutMs = 10_000): Promise<SaidOf<K>> {
    this.tell(command);
    return this.hear(kind, timeoutMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    this.#child.kill("SIGCONT");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), endTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #failure(how: string): Error {
    const errors = this.#errors.trim();
    return new Error(`${this.#what} ${how}${errors === "" ? "" : `: ${telling(errors)}`}`);
  }
}

function parse(line: string): Said | null {
  if (!line.startsWith("{")) return null;
  try {
    return JSON.parse(line) as Said;
  } catch {
    return null;
  }
}

/** The most useful lines: from the error's name on. */
function telling(text: string): string {
  const lines = text.split("\n").map((line) => line.trim()).filter((line) => line !== "");
  const named = lines.findIndex((line) => /error\b/i.test(line));
  return lines.slice(Math.max(0, named)).slice(0, 4).join(" | ");
}
