import { costPerCall, curveTransports, judgeCurves } from "../harness/curve.ts";
import { measurePair } from "../harness/pair.ts";
import { grouped, oursAndC, type Scenario } from "../harness/scenario.ts";

/** Cost of a call by the number in flight. */
export const costInFlight: Scenario = {
  name: "cost-in-flight",
  title: "Time per call against the number in flight",
  question:
    "Calls get cheaper the more are under way, as batches fill. Do they get dearer again up to 16 384?",
  metrics: [costPerCall],
  work: "calls",
  subjects: oursAndC,
  transports: curveTransports,
  async run(settings, subject, transport) {
    const levels = settings.quick ? [1, 64, 512, 4_096] : [1, 8, 64, 512, 4_096, 16_384];
    const cases = levels.map((level) => `calls:${level}:64`);
    const figures = await measurePair(settings, subject, cases, { transport });
    return figures.map(({ n, seconds }, i) => ({
      case: `${grouped(levels[i]!)} in flight`,
      x: levels[i]!,
      values: { cost: 1e6 * seconds / n },
    }));
  },
  judge: (rows) => judgeCurves(rows, "cheapest"),
};
