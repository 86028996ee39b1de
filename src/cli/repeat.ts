import { numberOf } from "./arguments.ts";
import { pause, UsageError } from "./command.ts";
import { failureJson, failureLine } from "./failure.ts";
import type { CommandIo } from "./output.ts";
import { Screen } from "./screen.ts";

/** Options of commands that can repeat what they show. */
export const watchOptions = { watch: { type: "boolean" }, interval: { type: "string" } } as const;

/** The time between two looks, in milliseconds; null without `--watch`. @throws {UsageError} If an option is wrong. */
export function intervalOf(
  { watch, interval }: { readonly watch?: boolean | undefined; readonly interval?: string | undefined },
  otherwise: number,
): number | null {
  const intervalMs = numberOf("interval", interval, otherwise);
  if (watch === true) return intervalMs;
  if (interval !== undefined) throw new UsageError("--interval needs --watch");
  return null;
}

/** Repeats and shows a query; a failure is shown as well, and may be over the next time. */
export async function repeat<T>(
  look: () => Promise<T>,
  lines: (seen: T) => readonly string[],
  { intervalMs, json, io }: { intervalMs: number; json: boolean; io: CommandIo },
): Promise<never> {
  const screen = new Screen(io);
  for (;;) {
    const seen = await look().then((value) => ({ value }), (error: unknown) => {
      if (error instanceof UsageError || io.signal.aborted) throw error;
      return { error };
    });
    if (json) io.out(JSON.stringify("error" in seen ? { error: failureJson(seen.error) } : seen.value));
    else screen.draw("error" in seen ? [failureLine(seen.error)] : lines(seen.value));
    await pause(intervalMs, io.signal);
  }
}
