import process from "node:process";
import { type CommandIo, visible } from "./output.ts";

/** Lines that are written again and again: over the last ones on a terminal, below them elsewhere. */
export class Screen {
  readonly #io: CommandIo;
  #drawn: number | null = null;

  /** @param io Where to write. */
  constructor(io: CommandIo) {
    this.#io = io;
  }

  /** Shows these lines now. */
  draw(lines: readonly string[]): void {
    if (!this.#io.terminal) {
      if (this.#drawn !== null) this.#io.out("");
      this.#drawn = 0;
      for (const line of lines) this.#io.out(line);
      return;
    }
    // A line that is wrapped, or above the screen, could not be written over.
    const [columns, rows] = [process.stdout.columns || 80, process.stdout.rows || 24]; // some terminals say 0
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => visible(line).slice(0, columns - 1));
    const up = this.#drawn === null || this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    const text = `${up}\r${shown.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`;
    this.#io.write(new TextEncoder().encode(text));
    this.#drawn = shown.length;
  }
}
