import process from "node:process";

/**
 * Calls back once when the program ends without an uncaught error.
 *
 * Both runtimes emit `exit` for `process.exit` and for a natural end. `Deno.exit` and the restarts of
 * `deno run --watch` emit `unload`.
 */
export function onProgramEnd(callback: () => void): Disposable {
  const end = (): void => {
    stop();
    callback();
  };
  const stop = (): void => {
    process.removeListener("exit", end);
    globalThis.removeEventListener("unload", end);
  };
  process.on("exit", end);
  globalThis.addEventListener("unload", end);
  return { [Symbol.dispose]: stop };
}
