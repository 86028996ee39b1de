import { type FSWatcher, watch } from "node:fs";
import type { CancelTimer, Clock } from "../core/mod.ts";

/** How a folder is watched. */
export interface NoticeOptions {
  /** Where time comes from. */
  readonly clock: Clock;
  /** How often to look in any case, in milliseconds: for what the kernel gives no notice of. */
  readonly pollMs: number;
  /** Whether a changed file is of interest. */
  readonly concerns: (name: string) => boolean;
  /** Called after changes, with `polled` when there was no notice. Its promise is waited for. */
  readonly look: (polled: boolean) => void | Promise<void>;
}

// Many files change together; one look a moment later sees them all.
const settleMs = 3;

/** Calls back when files of a folder change, by the kernel's notices where there are any, else by looking. */
export class DirectoryNotices implements Disposable {
  readonly #options: NoticeOptions;
  readonly #cancelPoll: { current: CancelTimer };
  #watcher: FSWatcher | null = null;
  readonly #loosen = () => void this.#watcher?.unref();
  #pending = false;
  #looking = false;
  #closed = false;

  /** @param directory A folder that exists. */
  constructor(directory: string, options: NoticeOptions) {
    this.#options = options;
    try {
      this.#watcher = watch(directory, { persistent: false }, (_event, name) => {
        // On Deno each wait for a notice keeps the process alive, in spite of `persistent`; the next one begins after this.
        options.clock.after(0, this.#loosen);
        if (name === null || options.concerns(String(name))) this.notice();
      });
      this.#loosen();
      // Some file systems and some limits of the kernel allow no watching; then looking has to do.
      this.#watcher.on("error", () => this.#unwatch());
    } catch {
      this.#watcher = null;
    }
    this.#cancelPoll = { current: () => {} };
    this.#schedulePoll();
  }

  /** Something may have changed. */
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
    // One at a time; a notice that comes meanwhile is looked into afterwards.
    if (this.#looking) return this.notice();
    this.#looking = true;
    try {
      await this.#options.look(polled);
    } catch {
      // The folder is gone or unreadable for now; the next look may succeed.
    } finally {
      this.#looking = false;
      // After what the kernel told of and the callback did not hear.
      this.#loosen();
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = null;
  }
}
