import { ours } from "../harness/bench_result.ts";
import { bounded, ProgramPair } from "../harness/program_pair.ts";
import type { Scenario } from "../harness/scenario.ts";

/** Effect of actors that are stuck on others. */
export const actorFreeze: Scenario = {
  name: "actor-freeze",
  title: "Actors of which some are stuck",
  question:
    "Of one instance, a handler never ends, a mailbox is full, 1 000 channels wait to be accepted, a client does not read, and " +
    "a subscriber holds up its actor, all at once. What becomes of 8 asks in flight to four other actors, and of list and " +
    "status beside them? Without: the mean of before and after.",
  metrics: [
    { key: "without", title: "Asks a second without", unit: "/s", better: "higher", compared: false },
    { key: "with", title: "Asks a second beside them", unit: "/s", better: "higher", compared: false },
    { key: "share", title: "With ÷ without", unit: "", better: "higher", compared: false },
    { key: "p99", title: "Asks beside them, 99 % within", unit: "ms", better: "lower", compared: false },
    { key: "factor", title: "The same ÷ without", unit: "", better: "lower", compared: false },
    { key: "managed", title: "List and status, 99 % within", unit: "ms", better: "lower", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    await using pair = await ProgramPair.start(settings, subject, "actors");
    for (let n = 0; n < 2; n++) await pair.figures("use");
    const before = await pair.figures("use");
    await pair.figures("freeze");
    const beside = await pair.figures("use");
    await pair.figures("free", "server");
    const after = await pair.figures("use");
    const mean = (key: string): number => (before[key]! + after[key]!) / 2;
    return [{
      case: "8 asks in flight",
      values: {
        without: mean("rate"),
        with: beside["rate"]!,
        share: beside["rate"]! / mean("rate"),
        p99: beside["p99"]!,
        factor: beside["p99"]! / mean("p99"),
        managed: beside["managed"]!,
      },
    }];
  },
  judge: (rows) => [
    ...bounded(rows, "share", "share of the rate beside stuck actors:", { least: 0.9 }),
    ...bounded(rows, "factor", "99 of 100 asks take the time of those without ×", { most: 2 }),
    ...bounded(rows, "managed", "99 of 100 lists and statuses take, in ms:", { most: 10 }),
  ],
};
