/**
 * Loaded before every test file under `deno test`, which ignores an error thrown while a file loads or from a callback,
 * and would report "ok". Each such error is printed as a line for the runner.
 */
import { unhandledMark } from "./unhandled_mark.ts";

function report(what: string, error: unknown): void {
  const text = error instanceof Error ? error.stack ?? String(error) : String(error);
  console.error(`${unhandledMark} ${what}: ${text}`);
}

globalThis.addEventListener(
  "error",
  (event) => report("uncaught", (event as Event & { error?: unknown }).error),
);
globalThis.addEventListener("unhandledrejection", (event) => {
  report("unhandled rejection", (event as Event & { reason?: unknown }).reason);
});
