import { ours } from "../harness/bench_result.ts";
import type { Scenario } from "../harness/scenario.ts";
import { bounded, ProgramPair } from "../harness/program_pair.ts";

const kib = 1024;

/** Memory of open streams. */
export const streamMemory: Scenario = {
  name: "stream-memory",
  title: "Open streams",
  question:
    "How much memory does an open stream from a server take on each side, after garbage was collected? The caller has " +
    "read one item, and the handler waits before the next.",
  metrics: [
    { key: "heap", title: "Heap for each stream", unit: "KiB", better: "lower", compared: false },
    {
      key: "resident",
      title: "Resident memory for each stream",
      unit: "KiB",
      better: "lower",
      compared: false,
    },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    const count = settings.quick ? 1_000 : 4_000;
    await using pair = await ProgramPair.start(settings, subject);
    // What the first streams bring with them is no part of one more.
    await pair.figures("open=500");
    const sides = ["client", "server"] as const;
    const before = await Promise.all(sides.map((side) => pair.figures("memory", side)));
    await pair.figures(`open=${count}`);
    const after = await Promise.all(sides.map((side) => pair.figures("memory", side)));
    return sides.map((side, i) => ({
      case: side === "client" ? "caller" : "handler",
      values: {
        heap: (after[i]!["heap"]! - before[i]!["heap"]!) / count / kib,
        resident: (after[i]!["rss"]! - before[i]!["rss"]!) / count / kib,
      },
    }));
  },
  judge: (rows) => bounded(rows, "heap", "KiB of heap for each stream:", { most: 4 }),
};
