import { measurePair } from "../harness/pair.ts";
import { allSubjects, callRate, type Scenario } from "../harness/scenario.ts";

const levels = [8, 64, 512];

/** Calls a second with many in flight. */
export const inFlight: Scenario = {
  name: "in-flight",
  title: "Many calls in flight, 64 B",
  question:
    "How many calls a second does one process get answered by another when 8, 64 or 512 are under way?",
  metrics: [callRate, {
    key: "p99",
    title: "99 % of the calls within",
    unit: "µs",
    better: "lower",
    compared: false,
  }],
  work: "calls",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const cases = levels.map((level) => `calls:${level}:64`);
    const figures = await measurePair(settings, subject, cases, { transport });
    return figures.map(({ n, seconds, p99 }, i) => ({
      case: `${levels[i]} in flight`,
      values: { rate: n / seconds, p99 },
    }));
  },
};
