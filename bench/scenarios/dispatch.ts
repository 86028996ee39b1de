import { type Metric, ours, subjectTitles, type Verdict } from "../harness/bench_result.ts";
import { costPerCall } from "../harness/curve.ts";
import { measurePair } from "../harness/pair.ts";
import type { Measurement, Scenario } from "../harness/scenario.ts";

const ways = [
  { name: "spawn", dispatch: "spawn" },
  { name: "ordered", dispatch: "ordered" },
  { name: "limit 64", dispatch: "64" },
  { name: "limit 8", dispatch: "8" },
] as const;
const loads = [
  { name: "calls", what: "calls:64:64", later: 0 },
  { name: "calls answered by a promise", what: "calls:64:64", later: 1 },
  { name: "messages without an answer", what: "sends:0:64", later: 0 },
] as const;

const serverCpu: Metric = {
  key: "serverCpu",
  title: "Processor time of the server",
  unit: "µs",
  better: "lower",
  compared: false,
};

/** Cost of order and limits. */
export const dispatch: Scenario = {
  name: "dispatch",
  title: "Order and limits of a handler, 64 in flight, 64 B",
  question:
    "How much dearer is a message for a handler that is ordered by sender, or that has a limit of 64 or of 8 at a " +
    "time, than for one that has neither?",
  metrics: [costPerCall, serverCpu],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject, transport) {
    const found: Measurement[] = [];
    for (const load of loads) {
      for (const way of ways) {
        const server = { dispatch: way.dispatch, later: load.later };
        const [figures] = await measurePair(settings, subject, [load.what], { transport, server });
        const { n, seconds, receivedRate, serverCpuUs } = figures!;
        const cost = load.what.startsWith("sends") ? 1e6 / receivedRate : 1e6 * seconds / n;
        found.push({ case: `${load.name}, ${way.name}`, values: { cost, serverCpu: serverCpuUs / n } });
      }
    }
    return found;
  },
  judge: (rows) =>
    ours.flatMap((subject) => {
      const cost = (load: string, way: string): number =>
        rows.find((row) => row.subject === subject && row.case === `${load}, ${way}`)?.metrics["cost"]
          ?.median ??
          Number.NaN;
      const title = subjectTitles[subject];
      return loads.flatMap(({ name }): Verdict[] => {
        const plain = cost(name, "spawn");
        if (Number.isNaN(plain)) return [];
        const overhead = cost(name, "ordered") / plain - 1;
        const limited = (["limit 64", "limit 8"] as const).map((way): Verdict => {
          const share = plain / cost(name, way);
          return {
            ok: share >= 0.9,
            text: `${title}, ${name}: with a ${way}, ${share.toFixed(2)} of the rate (wanted: 0.9)`,
          };
        });
        return [{
          ok: overhead < 0.2,
          text: `${title}, ${name}: ordered costs ${(100 * overhead).toFixed(0)} % more (wanted: below 20 %)`,
        }, ...limited];
      });
    }),
};
