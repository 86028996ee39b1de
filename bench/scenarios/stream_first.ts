import { ours } from "../harness/bench_result.ts";
import type { Scenario } from "../harness/scenario.ts";
import { bounded, ProgramPair } from "../harness/program_pair.ts";

const times = [
  ["raw", "A call by a handler's name"],
  ["typed", "A call by a contract"],
  ["first", "First item of a stream"],
] as const;

/** Time to the first item of a stream. */
export const streamFirst: Scenario = {
  name: "stream-first",
  title: "The first item of a stream from a server",
  question:
    "How long does the first of one or three texts of 62 characters take, next to a call that answers with one? In turns of " +
    "40 ms, half within.",
  metrics: [
    ...times.map(([key, title]) => ({ key, title, unit: "µs", better: "lower", compared: false } as const)),
    { key: "factor", title: "First item ÷ call by a contract", unit: "", better: "lower", compared: false },
    { key: "rawFactor", title: "First item ÷ call by name", unit: "", better: "lower", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    await using pair = await ProgramPair.start(settings, subject);
    const { raw, typed, first, firstOf3 } = await pair.figures("first");
    return [["1 item", first!], ["3 items", firstOf3!]].map(([name, value]) => ({
      case: name as string,
      values: {
        raw: raw!,
        typed: typed!,
        first: value as number,
        factor: value as number / typed!,
        rawFactor: value as number / raw!,
      },
    }));
  },
  judge: (rows) => bounded(rows, "factor", "the first item takes the time of a call ×", { most: 1.3 }),
};
