import { ours } from "../harness/bench_result.ts";
import type { Scenario } from "../harness/scenario.ts";
import { bounded, ProgramPair } from "../harness/program_pair.ts";

const kib = 1024;

/** Effect of a slow reader. */
export const streamHeld: Scenario = {
  name: "stream-held",
  title: "A reader that takes one item a second",
  question:
    "A handler yields items of 1 KiB without an end, and the caller takes one a second. What becomes of other calls to the " +
    "same instance, and how far does the handler get? In turns, five times with and without.",
  metrics: [
    { key: "without", title: "Calls without it, 99 % within", unit: "µs", better: "lower", compared: false },
    { key: "with", title: "Calls beside it, 99 % within", unit: "µs", better: "lower", compared: false },
    { key: "factor", title: "With ÷ without", unit: "", better: "lower", compared: false },
    { key: "ahead", title: "Items yielded and not taken", unit: "", better: "lower", compared: false },
    { key: "unread", title: "Bytes that wait at the caller", unit: "KiB", better: "lower", compared: false },
    { key: "heap", title: "Growth of the caller's heap", unit: "KiB", better: "lower", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    await using pair = await ProgramPair.start(settings, subject);
    const { without, with: beside, ahead, unread, heap } = await pair.figures("held");
    return [{
      case: "1 KiB",
      values: {
        without: without!,
        with: beside!,
        factor: beside! / without!,
        ahead: ahead!,
        unread: unread! / kib,
        heap: heap! / kib,
      },
    }];
  },
  judge: (rows) => [
    ...bounded(rows, "factor", "99 of 100 calls take the time of those without ×", { most: 2 }),
    ...bounded(rows, "ahead", "items yielded and not taken:", { most: 1_025 }),
    ...bounded(rows, "unread", "KiB that wait at the caller:", { most: 1_028 }),
  ],
};
