/**
 * Loaded before every test file under `deno test`, which passes over an error that is thrown while a test file
 * loads, or from a callback: the run would end with "ok". Each is written as a line that the runner looks for.
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
