import { type FSWatcher, watch } from "node:fs";
import type { CancelTimer, Timed } from "../core/mod.ts";

/** Options of {@link DirectoryWatcher}. */
export interface NoticeOptions extends Timed {
  /** Interval of additional checks in milliseconds, for changes without a notice of the kernel. */
  readonly pollMs: number;
  /** Whether a changed file is of interest. */
  readonly concerns: (name: string) => boolean;
  /** Called after changes, or with `polled` after the interval. Its promise is awaited. */
  readonly look: (polled: boolean) => void | Promise<void>;
}

// Files often change together; one look after this time sees them all.
const settleMs = 3;

/** Reports changes of a folder's files, by the kernel's notices if possible and by polling. */
export class DirectoryWatcher implements Disposable {
  readonly #options: NoticeOptions;
  readonly #cancelPoll: { current: CancelTimer };
  #watcher: FSWatcher | null = null;
  readonly #loosen = () => void this.#watcher?.unref();
  #pending = false;
  #looking = false;
  #closed = false;

  /** @param directory An existing folder. */
  constructor(directory: string, options: NoticeOptions) {
    this.#options = options;
    try {
      this.#watcher = watch(directory, { persistent: false }, (_event, name) => {
        // On Deno each wait for a notice keeps the process alive in spite of `persistent`; the next wait begins later.
        options.clock.after(0, this.#loosen);
        if (name === null || options.concerns(String(name))) this.notice();
      });
      this.#loosen();
      // Some file systems, and the kernel's limits, do not allow watching; polling remains.
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#watcher = null;
    }
    this.#cancelPoll = { current: () => {} };
    this.#schedulePoll();
  }

  /** Reports a possible change. */
  notice(): void {
    if (this.#pending || this.#closed) return;
    this.#pending = true;
    this.#options.clock.after(settleMs, () => {
      this.#pending = false;
      if (!this.#closed) void this.#look(false);
    });
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    this.#cancelPoll.current();
    this.#unwatch();
  }

  #schedulePoll(): void {
    const { clock, pollMs } = this.#options;
    this.#cancelPoll.current = clock.after(pollMs, () => {
      if (this.#closed) return;
      void this.#look(true).finally(() => {
        if (!this.#closed) this.#schedulePoll();
      });
    });
  }

  async #look(polled: boolean): Promise<void> {
    // One look at a time; a notice during it causes another one.
    if (this.#looking) return this.notice();
    this.#looking = true;
    try {
      await this.#options.look(polled);
    } catch {
      // The folder may be missing or unreadable now; the next look may succeed.
    } finally {
      this.#looking = false;
      // After notices of the kernel for which no callback came.
      this.#loosen();
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }
}
