import process from "node:process";

/**
 * Calls back once when the program ends without an uncaught error.
 *
 * `exit` is what both runtimes tell of `process.exit` and of an end by itself. `Deno.exit` and the restarts of
 * `deno run --watch` tell of it as `unload`.
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
