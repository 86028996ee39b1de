import { writeSync } from "node:fs";
import { isatty } from "node:tty";

/** Standard output, standard error, and the user's interrupt. */
export interface CommandIo {
  /** Whether standard output is a terminal. */
  readonly terminal: boolean;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** Writes a line of text to standard output, without control characters. @throws {WriteFailed} */
  out(line: string): void;
  /** Writes bytes to standard output unchanged. @throws {WriteFailed} */
  write(bytes: Uint8Array): void;
  /** Writes a line of text to standard error, without control characters. */
  error(line: string): void;
}

/** Standard output fails: the disk is full, or the reader has gone. */
export class WriteFailed extends Error {
  /** Whether the reader has gone, as `head` does, which is no error. */
  readonly readerGone: boolean;

  /** @param cause The system's error. */
  constructor(cause: Error) {
    super(`cannot write to standard output: ${cause.message}`, { cause });
    this.readerGone = (cause as { code?: string }).code === "EPIPE";
  }
}

/** The process's own output. */
export function openIo(signal: AbortSignal): CommandIo {
  return {
    terminal: isatty(1),
    signal,
    out: (line) => writeOut(encoder.encode(`${visible(line)}\n`)),
    write: writeOut,
    error(line) {
      try {
        writeAll(2, encoder.encode(`${visible(line)}\n`));
      } catch {
        // The exit code reports the failure.
      }
    },
  };
}

/**
 * Text with control characters written as `\uXXXX`, so that a peer's name, error or address neither moves the cursor
 * nor hides text. Escaped JSON has the same meaning.
 */
export function visible(text: string): string {
  return text.replace(controls, (character) => escapeOf(character));
}

/** The same for text that must stay on one line. */
export function oneLine(text: string): string {
  return visible(text).replaceAll("\n", "\\n");
}

// All but the newline, with separators and marks that break lines or reorder text.
const controls = /(?!\n)[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const encoder = new TextEncoder();

function escapeOf(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

function writeOut(bytes: Uint8Array): void {
  try {
    writeAll(1, bytes);
  } catch (error) {
    throw new WriteFailed(error as Error);
  }
}

/** Writes directly, since `console` and streams lose errors or report them after the process has ended. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      // The pipe is full; another process made it nonblocking.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
