import { ours, type Verdict } from "../harness/bench_result.ts";
import type { Scenario } from "../harness/scenario.ts";
import { bounded, ProgramPair } from "../harness/program_pair.ts";

const cases = [
  ["64 B, one stream", "one", "sends", 0.6],
  ["64 B, 64 streams", "many", "sends", 0.6],
  ["64 B, each send awaited", "awaited", "sends", null],
  ["64 KiB of bytes, one stream", "largeBytes", "largeSends", 0.8],
  ["64 KiB of text, one stream", "largeTexts", "largeSends", null],
] as const;

/** Items a second. */
export const streamRate: Scenario = {
  name: "stream-rate",
  title: "Items through streams",
  question:
    "How many items a second arrive, next to `amSend` of as many bytes? Both in turn, five times each.",
  metrics: [
    { key: "rate", title: "Items a second", unit: "/s", better: "higher", compared: false },
    { key: "share", title: "Of the rate of amSend", unit: "", better: "higher", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    await using pair = await ProgramPair.start(settings, subject);
    const found = await pair.figures("rate");
    return cases.map(([name, key, plain]) => {
      const rate = found[key]!;
      return { case: name, values: { rate, share: rate / found[plain]! } };
    });
  },
  judge: (rows) =>
    cases.flatMap(([name, , , least]): Verdict[] =>
      least === null
        ? []
        : bounded(rows.filter((row) => row.case === name), "share", "of the rate of amSend", { least })
    ),
};
