import { readFileSync, statSync } from "node:fs";
import { type CancelTimer, type Clock, errorText, type Logger } from "../../core/mod.ts";
import { isCurveKey } from "../../libzmq/mod.ts";

const lookEveryMs = 1_000;

/** The keys that may connect, which can change while the broker runs. */
export class KeyList implements Disposable {
  #keys: ReadonlySet<string> | null = null;
  #cancel: CancelTimer | null = null;

  /** Whether a key may connect. */
  has(key: string): boolean {
    return this.#keys === null || this.#keys.has(key);
  }

  /** Puts another list in force. @throws {TypeError} If it holds something else than keys. */
  set(keys: readonly string[] | "any"): void {
    if (keys !== "any") {
      for (const key of keys) {
        if (!isCurveKey(key)) {
          throw new TypeError(
            `Cannot allow ${JSON.stringify(key)}: a public key is 40 characters of Z85`,
          );
        }
      }
    }
    this.#keys = keys === "any" ? null : new Set(keys);
  }

  /**
   * Reads a file of keys, and again whenever it changes.
   *
   * @throws {TypeError} If it holds something else, named with its line.
   * @throws {Error} The system's own error, if it cannot be read.
   */
  follow(path: string, clock: Clock, logger: Logger): void {
    let seen = "";
    const look = (): void => {
      const { mtimeMs, size, ino } = statSync(path);
      const now = `${mtimeMs} ${size} ${ino}`;
      if (now === seen) return;
      seen = now;
      this.set(keysIn(path, readFileSync(path, "utf8")));
    };
    look();
    const again = (): void => {
      this.#cancel = clock.after(lookEveryMs, () => {
        try {
          look();
        } catch (error) {
          logger.warn("The list of keys cannot be read; the one from before stays in force", {
            path,
            error: errorText(error),
          });
        }
        again();
      });
    };
    again();
  }

  /** Looks at its file no more. */
  [Symbol.dispose](): void {
    this.#cancel?.();
  }
}

function keysIn(path: string, text: string): string[] {
  const keys: string[] = [];
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    // A # may be part of a key, and begins a remark only behind a blank or at the start.
    const key = line.replace(/(^|\s)#\s.*$|^#.*$/, "").trim();
    if (key === "") continue;
    if (!isCurveKey(key)) {
      throw new TypeError(
        `Cannot use the keys of ${path}: line ${at + 1} is no public key (40 characters of Z85)`,
      );
    }
    keys.push(key);
  }
  return keys;
}
