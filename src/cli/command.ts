import { holdProcess, pause as pauseFor, systemClock } from "../core/mod.ts";
import type { Messenger } from "../mod.ts";
import type { CommandIo } from "./output.ts";

/** One command of the program. */
export interface Command {
  /** What it is called. */
  readonly name: string;
  /** One line about it. */
  readonly summary: string;
  /** Everything about it, for `--help`. */
  readonly help: string;
  /** Whether its failures tell if a handler can have run. */
  readonly callsHandlers?: boolean;
  /** Runs it with the arguments after its name. @throws {UsageError} If they make no sense. */
  run(args: readonly string[], io: CommandIo): Promise<void>;
}

/** What the program exits with. */
export const ExitCode = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;
/** A value of {@link ExitCode}. */
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The arguments make no sense. */
export class UsageError extends Error {}

/** Ends a command that has said itself what is wrong. */
export class CommandFailed extends Error {}

/** The messenger a command works with is closed quickly: nobody calls it. */
export const closeTimeoutMs = 1_000;

/** Runs something with a messenger that is closed afterwards. */
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
