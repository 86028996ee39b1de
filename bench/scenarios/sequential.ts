import { measurePair } from "../harness/pair.ts";
import { allSubjects, type Scenario } from "../harness/scenario.ts";

/** Latency of a lone call. */
export const sequential: Scenario = {
  name: "sequential",
  title: "One call after another, 64 B",
  question: "How long does a call take when nothing else is under way?",
  metrics: [
    { key: "p50", title: "Half of the calls within", unit: "µs", better: "lower", compared: true },
    { key: "p99", title: "99 % of the calls within", unit: "µs", better: "lower", compared: false },
    { key: "p999", title: "99.9 % of the calls within", unit: "µs", better: "lower", compared: false },
  ],
  work: "calls",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const [figures] = await measurePair(settings, subject, ["calls:1:64"], { transport });
    const { p50, p99, p999 } = figures!;
    return [{ case: "1 call in flight", values: { p50, p99, p999 } }];
  },
};
