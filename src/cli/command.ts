import { holdProcess, pause as pauseFor, systemClock } from "../core/mod.ts";
import type { Messenger } from "../mod.ts";
import type { CommandIo } from "./output.ts";

/** One command of the program. */
export interface Command {
  /** Name. */
  readonly name: string;
  /** Description in one line. */
  readonly summary: string;
  /** Complete description for `--help`. */
  readonly help: string;
  /** Whether its failures say if a handler can have run. */
  readonly callsHandlers?: boolean;
  /** Commands of its own, whose name is its first argument. */
  readonly verbs?: readonly Command[];
  /** Runs it with the arguments after its name. @throws {UsageError} If they are invalid. */
  run(args: readonly string[], io: CommandIo): Promise<void>;
}

/** Exit codes of the program. */
export const ExitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Invalid arguments. */
export class UsageError extends Error {}

/** Ends a command that has already printed its error, or whose result is an exit code. */
export class CommandFailed extends Error {
  readonly exitCode: number;

  /** @param exitCode Without it the one of a failure. */
  constructor(exitCode: number = ExitCode.failed) {
    super();
    this.exitCode = exitCode;
  }
}

/** A command's messenger closes quickly: no peer calls it. */
export const closeTimeoutMs = 1_000;

/** Runs a function with a messenger that is closed afterwards. */
export async function withMessenger<T>(messenger: Messenger, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } finally {
    await messenger.close({ timeoutMs: closeTimeoutMs });
  }
}

/** Waits; rejects with the signal's reason. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  using _held = holdProcess();
  await pauseFor(systemClock, ms, signal);
  signal.throwIfAborted();
}
