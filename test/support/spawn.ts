import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { currentRuntime, repositoryRoot, type RuntimeName, scriptCommand } from "./runtime.ts";
import { until, within } from "./until.ts";

/** Options of {@link spawnScript}. */
export interface SpawnOptions {
  /** The runtime; `"self"` is the one of this test. @default {"self"} */
  runtime?: RuntimeName | "self" | undefined;
  /** Variables on top of this process's own; `undefined` takes one away. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Deno's permissions. Bun has none. Without this those that README names. */
  permissions?: readonly string[] | undefined;
  /** Where it runs. Without this the repository's root. */
  cwd?: string | undefined;
}

/** The end of a process. */
export interface Exit {
  /** The exit code, or null when a signal ended it. */
  readonly code: number | null;
  /** The signal that ended it, or null. */
  readonly signal: string | null;
}

/** A child process whose lines a test reads. Disposing of it kills it. */
export interface SpawnedProcess extends AsyncDisposable {
  /** The process id. */
  readonly pid: number;
  /** Resolves when it has ended and its output is read to the end; never rejects. */
  readonly exit: Promise<Exit>;
  /** Its end, once it has ended. */
  readonly ended: Exit | undefined;
  /** Lines of standard output that {@link stdout} has not handed out yet, one consumer at a time. */
  readonly stdout: AsyncIterableIterator<string>;
  /** Everything it wrote to standard output so far. */
  readonly outputText: string;
  /** Everything it wrote to standard error so far. */
  readonly errorText: string;
  /**
   * The first line of standard output, from the start, that matches; waits for it.
   *
   * @throws {Error} If the time is up or the process ends first; with what it wrote.
   */
  waitForLine(pattern: RegExp | string, timeoutMs?: number): Promise<string>;
  /** Writes to standard input. */
  write(text: string): void;
  /** Ends standard input. */
  endInput(): void;
  /** Sends a signal. */
  signal(name: NodeJS.Signals): void;
  /** Kills it, if it still runs, and waits for its end. */
  kill(): Promise<Exit>;
}

/**
 * Starts a script of the repository on a runtime.
 *
 * @param path The script, from the repository's root, or absolute.
 * @param args The script's arguments.
 * @param options Runtime, variables, permissions.
 */
export function spawnScript(
  path: string,
  args: readonly string[] = [],
  options: SpawnOptions = {},
): SpawnedProcess {
  const runtime = options.runtime === undefined || options.runtime === "self"
    ? currentRuntime
    : options.runtime;
  return spawnCommand(scriptCommand(runtime, path, { args, permissions: options.permissions }), options);
}

/** Starts any program; the first word is the program. */
export function spawnCommand(command: readonly string[], options: SpawnOptions = {}): SpawnedProcess {
  const [program, ...args] = command;
  if (program === undefined) throw new TypeError("Cannot start a process: the command is empty");
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...process.env, NO_COLOR: "1", ...options.env })) {
    if (value !== undefined) env[name] = value;
  }
  const child = spawn(program, args, { cwd: options.cwd ?? repositoryRoot, env, stdio: "pipe" });
  return new Spawned(child, command.join(" "));
}

class Spawned implements SpawnedProcess {
  readonly exit: Promise<Exit>;
  readonly stdout: AsyncIterableIterator<string>;
  readonly #child: ChildProcess;
  readonly #what: string;
  readonly #lines: string[] = [];
  readonly #waiting = new Set<() => void>();
  #rest = "";
  #outputText = "";
  #errorText = "";
  #ended: Exit | undefined;

  constructor(child: ChildProcess, what: string) {
    this.#child = child;
    this.#what = what;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take(text));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errorText += text;
    });
    // A process that is gone cannot read: what a test writes then is lost, and that is no error of its own.
    child.stdin?.on("error", () => {});
    this.exit = new Promise((resolve) => {
      const end = (ended: Exit): void => {
        if (this.#rest !== "") this.#take("\n");
        this.#ended ??= ended;
        this.#wake();
        resolve(this.#ended);
      };
      child.once("error", (error) => {
        this.#errorText += `${error.message}\n`;
        end({ code: 127, signal: null });
      });
      child.once("close", (code, signal) => end({ code, signal }));
    });
    this.stdout = this.#iterate();
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get ended(): Exit | undefined {
    return this.#ended;
  }

  get outputText(): string {
    return this.#outputText;
  }

  get errorText(): string {
    return this.#errorText;
  }

  async waitForLine(pattern: RegExp | string, timeoutMs = 20_000): Promise<string> {
    let seen = 0;
    const find = (): string | undefined => {
      for (; seen < this.#lines.length; seen++) {
        const line = this.#lines[seen] ?? "";
        if (typeof pattern === "string" ? line.includes(pattern) : pattern.test(line)) return line;
      }
      if (this.#ended !== undefined) throw new Error(`It ended first: ${this.#describe()}`);
      return undefined;
    };
    return await until(find, {
      timeoutMs,
      message: () => `a line with ${String(pattern)}: ${this.#describe()}`,
    });
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  endInput(): void {
    this.#child.stdin?.end();
  }

  signal(name: NodeJS.Signals): void {
    if (this.#ended !== undefined) return;
    // Not the child's own kill(): on Deno it does nothing more after its first signal, whichever that was.
    try {
      process.kill(this.pid, name);
    } catch {
      // It has just ended.
    }
  }

  async kill(): Promise<Exit> {
    this.signal("SIGKILL");
    return await within(this.exit, 10_000, `the end of ${this.#what}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  #describe(): string {
    const ended = this.#ended === undefined ? "still runs" : `ended with ${JSON.stringify(this.#ended)}`;
    return `${this.#what} ${ended}\n--- stdout\n${this.#outputText}\n--- stderr\n${this.#errorText}`;
  }

  #take(text: string): void {
    this.#outputText += text;
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#lines.push(line.replace(/\r$/, ""));
    this.#wake();
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const resolve of waiting) resolve();
  }

  async *#iterate(): AsyncIterableIterator<string> {
    for (let next = 0;;) {
      const line = this.#lines[next];
      if (line !== undefined) {
        next++;
        yield line;
      } else if (this.#ended !== undefined) {
        return;
      } else {
        await new Promise<void>((resolve) => this.#waiting.add(resolve));
      }
    }
  }
}
