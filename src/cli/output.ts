import { writeSync } from "node:fs";
import { isatty } from "node:tty";

/** Standard output, standard error, and the user's wish to stop. */
export interface CommandIo {
  /** Whether a person looks at standard output. */
  readonly terminal: boolean;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
  /** Writes a line of text to standard output, without control characters. @throws {WriteFailed} */
  out(line: string): void;
  /** Writes bytes to standard output as they are. @throws {WriteFailed} */
  write(bytes: Uint8Array): void;
  /** Writes a line of text to standard error, without control characters. */
  error(line: string): void;
}

/** Standard output takes no more: the disk is full, or its reader has gone. */
export class WriteFailed extends Error {
  /** Whether its reader has gone, as `head` does: nobody has to be told. */
  readonly readerGone: boolean;

  /** @param cause What the system says. */
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
        // The exit code tells the rest.
      }
    },
  };
}

/**
 * Text with its control characters written as `\uXXXX`, so that a name, an error or an address of somebody else neither
 * moves the cursor nor hides anything. In JSON the result means the same as before.
 */
export function visible(text: string): string {
  return text.replace(controls, (character) => escapeOf(character));
}

/** The same for text that has to stay on its line. */
export function oneLine(text: string): string {
  return visible(text).replaceAll("\n", "\\n");
}

// All but the newline; the separators and marks besides break lines or reorder text.
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

/** Not through `console` or a stream: these lose an error, or tell it after the process has ended. */
function writeAll(descriptor: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if ((error as { code?: string }).code !== "EAGAIN") throw error;
      // A pipe that somebody else made nonblocking is full.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
