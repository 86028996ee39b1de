import { type Metric, ours, subjectTitles, type Verdict } from "../harness/bench_result.ts";
import { measurePair } from "../harness/pair.ts";
import { grouped, type Measurement, type Scenario } from "../harness/scenario.ts";
import type { WayName } from "../peer/actors.ts";

const managedCase = "ask of a management client ÷ typedUnary, 64 in flight";
const pairs: readonly { name: string; what: string; mine: WayName; base: WayName }[] = [
  { name: "ask ÷ typedUnary, 1 in flight", what: "calls:1:64", mine: "ask", base: "typedUnary" },
  { name: "ask ÷ typedUnary, 64 in flight", what: "calls:64:64", mine: "ask", base: "typedUnary" },
  { name: "tell ÷ amSync, 64 in flight", what: "calls:64:64", mine: "tell", base: "amSync" },
  {
    name: "tell of bytes ÷ amSync, 64 in flight",
    what: "calls:64:64",
    mine: "tellBytes",
    base: "amSyncBytes",
  },
  { name: managedCase, what: "calls:64:64", mine: "managed", base: "typedUnary" },
  { name: "ask ÷ unary, 1 MiB", what: `calls:1:${1024 * 1024}`, mine: "askBytes", base: "unary" },
];
const slices = 3;

const share: Metric = {
  key: "share",
  title: "Rate ÷ that of the call",
  unit: "",
  better: "higher",
  compared: true,
};
const rate: Metric = { key: "rate", title: "Messages a second", unit: "", better: "higher", compared: false };

/** Cost of messages for an actor of another process, compared with calls of the messenger. */
export const actors: Scenario = {
  name: "actors",
  title: "Messages for an actor of another process, 64 B and 1 MiB",
  question:
    "What share of the rate of calls to handlers do asks and tells reach that go to an actor of the same process, with " +
    "the same schemas? Both in turn, three times each. A management client is to reach 10 000 messages a second.",
  metrics: [rate, share],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject, transport) {
    const found: Measurement[] = [];
    for (const { name, what, mine, base } of pairs) {
      const total = { [mine]: 0, [base]: 0 };
      for (let slice = 0; slice < slices; slice++) {
        for (const way of slice % 2 === 0 ? [base, mine] : [mine, base]) {
          const options = { transport, server: { actors: 1 }, client: { way } };
          const [figures] = await measurePair(settings, subject, [what], options);
          total[way]! += figures!.n / figures!.seconds / slices;
        }
      }
      found.push({ case: name, values: { rate: total[mine]!, share: total[mine]! / total[base]! } });
    }
    return found;
  },
  judge: (rows) =>
    rows.map((row): Verdict => {
      const title = `${subjectTitles[row.subject]}, ${row.case}`;
      if (row.case === managedCase) {
        const rate = row.metrics["rate"]?.median ?? Number.NaN;
        return { ok: rate >= 10_000, text: `${title}: ${grouped(rate)} a second (wanted: at least 10 000)` };
      }
      const reached = row.metrics["share"]?.median ?? Number.NaN;
      return { ok: reached >= 0.8, text: `${title}: ${reached.toFixed(2)} (wanted: at least 0.8)` };
    }),
};
