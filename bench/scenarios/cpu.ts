import type { Metric } from "../harness/bench_result.ts";
import { measurePair } from "../harness/pair.ts";
import { allSubjects, type Scenario } from "../harness/scenario.ts";

const levels = [1, 64];

function processorTime(key: string, title: string, compared: boolean): Metric {
  return { key, title: `Processor time per call, ${title}`, unit: "µs", better: "lower", compared };
}

/** Processor time of a call. */
export const cpu: Scenario = {
  name: "cpu",
  title: "Processor time per call, 64 B",
  question:
    "How much processor time do the caller and the callee spend on a call, all their threads together? " +
    "NATS' callee includes its broker.",
  metrics: [
    processorTime("both", "both sides", true),
    processorTime("client", "the caller", false),
    processorTime("server", "the callee", false),
  ],
  work: "calls",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const cases = levels.map((level) => `calls:${level}:64`);
    const figures = await measurePair(settings, subject, cases, { transport });
    return figures.map(({ n, cpuUs, serverCpuUs }, i) => ({
      case: `${levels[i]} in flight`,
      values: { both: (cpuUs + serverCpuUs) / n, client: cpuUs / n, server: serverCpuUs / n },
    }));
  },
};
