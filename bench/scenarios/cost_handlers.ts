import { ours } from "../harness/bench_result.ts";
import { costPerCall, curveTransports, judgeCurves, longWarmMs } from "../harness/curve.ts";
import { measurePair } from "../harness/pair.ts";
import { counted, type Measurement, type Scenario } from "../harness/scenario.ts";

/** Cost of a call by the number of handlers. */
export const costHandlers: Scenario = {
  name: "cost-handlers",
  title: "Time per call against the number of handlers",
  question:
    "64 calls in flight go round all of 1 to 10 000 registered handlers. Is a call dearer the more there are?",
  metrics: [costPerCall],
  work: "calls",
  subjects: ours,
  transports: curveTransports,
  async run(settings, subject, transport) {
    const counts = settings.quick ? [1, 100, 10_000] : [1, 10, 100, 1_000, 10_000];
    const found: Measurement[] = [];
    for (const handlers of counts) {
      const options = { transport, server: { handlers }, client: { handlers, warmMs: longWarmMs(settings) } };
      const [figures] = await measurePair(settings, subject, ["calls:64:64"], options);
      const { n, seconds } = figures!;
      found.push({
        case: counted(handlers, "handler"),
        x: handlers,
        values: { cost: 1e6 * seconds / n },
      });
    }
    return found;
  },
  judge: (rows) => judgeCurves(rows, "first"),
};
