import { pause, UsageError } from "./command.ts";
import { failureJson, failureLine } from "./failure.ts";
import type { CommandIo } from "./output.ts";
import { Screen } from "./screen.ts";

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
