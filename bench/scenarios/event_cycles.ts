import { ours, subjectTitles } from "../harness/bench_result.ts";
import { measureAgainst, RunningServer } from "../harness/pair.ts";
import { callRate, type Measurement, type Scenario } from "../harness/scenario.ts";

const cases = ["calls:1:64", "calls:64:64"];
const kinds = [{ name: "calls", client: {} }, { name: "events", client: { cycle: 1 } }] as const;

/** Cost of an event that another process triggers. */
export const eventCycles: Scenario = {
  name: "event-cycles",
  title: "Events against calls, 1 and 64 in flight",
  question:
    "An event is made, awaited, and triggered with confirmation by another process that is sent its handle: " +
    "how many such cycles a second, and how long does one take, next to calls in the same run?",
  metrics: [
    callRate,
    { key: "p50", title: "Half of them within", unit: "µs", better: "lower", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject, transport) {
    await using running = await RunningServer.start(settings, subject, { transport });
    const found: Measurement[] = [];
    for (const { name, client } of kinds) {
      const figures = await measureAgainst(settings, subject, running, cases, { transport, client });
      figures.forEach(({ n, seconds, p50 }, i) =>
        found.push({ case: `${i === 0 ? 1 : 64} in flight, ${name}`, values: { rate: n / seconds, p50 } })
      );
    }
    return found;
  },
  judge: (rows) =>
    ours.flatMap((subject) => {
      const value = (name: string, key: string): number =>
        rows.find((row) => row.subject === subject && row.case === name)?.metrics[key]?.median ?? Number.NaN;
      const share = value("64 in flight, events", "rate") / value("64 in flight, calls", "rate");
      const delay = value("1 in flight, events", "p50") / value("1 in flight, calls", "p50");
      if (Number.isNaN(share) || Number.isNaN(delay)) return [];
      const title = subjectTitles[subject];
      return [
        {
          ok: share >= 0.5,
          text: `${title}: ${share.toFixed(2)} of the calls with 64 in flight (wanted: 0.5)`,
        },
        { ok: delay <= 1.5, text: `${title}: ×${delay.toFixed(2)} the time of a call (wanted: at most 1.5)` },
      ];
    }),
};
