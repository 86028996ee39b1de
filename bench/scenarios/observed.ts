import { observations } from "../peer/observed.ts";
import { ours } from "../harness/bench_result.ts";
import { measurePair } from "../harness/pair.ts";
import { callRate, type Measurement, type Scenario } from "../harness/scenario.ts";

const leastShare = 0.95;
let turn = 0;

/** Cost of metrics and traces. */
export const observed: Scenario = {
  name: "observed",
  title: "With metrics and traces, 64 in flight, 64 B",
  question:
    "How many calls a second when both sides are observed: by nobody, by Prometheus, by OpenTelemetry's metrics, and " +
    "with spans of every call, and of one in a hundred?",
  metrics: [callRate, {
    key: "share",
    title: "Of the calls unobserved",
    unit: "",
    better: "higher",
    compared: false,
  }],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject, transport) {
    const rates = new Map<string, number>();
    // Every other round is reversed, so that drift affects all alike.
    for (const observe of turn++ % 2 === 0 ? observations : observations.toReversed()) {
      const options = { transport, server: { observe }, client: { observe } };
      const [figures] = await measurePair(settings, subject, ["calls:64:64"], options);
      rates.set(observe, figures!.n / figures!.seconds);
    }
    return observations.map((observe): Measurement => {
      const rate = rates.get(observe)!;
      return { case: observe, values: { rate, share: rate / rates.get("nothing")! } };
    });
  },
  judge: (rows) =>
    rows.filter((row) => row.case === "prometheus").map((row) => {
      const share = row.metrics["share"]?.median ?? 0;
      return {
        ok: share >= leastShare,
        text: `${row.subject}: with metrics ${
          share.toFixed(3)
        } of the calls without (at least ${leastShare})`,
      };
    }),
};
