import process from "node:process";
import { type CommandIo, visible } from "./output.ts";

/** Output that is written repeatedly: over the previous one on a terminal, below it elsewhere. */
export class Screen {
  readonly #io: CommandIo;
  #drawn: number | null = null;

  constructor(io: CommandIo) {
    this.#io = io;
  }

  draw(lines: readonly string[]): void {
    if (!this.#io.terminal) {
      if (this.#drawn !== null) this.#io.out("");
      this.#drawn = 0;
      for (const line of lines) this.#io.out(line);
      return;
    }
    // Wrapped lines, and lines above the screen, could not be overwritten.
    const [columns, rows] = [process.stdout.columns || 80, process.stdout.rows || 24]; // some terminals say 0
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => visible(line).slice(0, columns - 1));
    const up = this.#drawn === null || this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    const text = `${up}\r${shown.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J`;
    this.#io.write(new TextEncoder().encode(text));
    this.#drawn = shown.length;
  }
}
