import { costPerCall, curveTransports, judgeCurves, longWarmMs } from "../harness/curve.ts";
import { measureAgainst, RunningServer } from "../harness/pair.ts";
import { counted, type Measurement, oursAndC, type Scenario } from "../harness/scenario.ts";

const kinds = [
  { name: "one after another round all", what: "calls:1:64", client: {} },
  { name: "64 in flight to one of them", what: "calls:64:64", client: { firstOnly: 1 } },
] as const;

/** Cost of a call by the number of peers. */
export const costPeers: Scenario = {
  name: "cost-peers",
  title: "Time per call against the number of peers",
  question:
    "One process has dialled 1 to 1 000 instances, which live in a second process. Is a call dearer the " +
    "more there are: one after another round all of them, and 64 in flight to one of them? C: as many DEALERs at one ROUTER.",
  metrics: [costPerCall],
  work: "calls",
  subjects: oursAndC,
  transports: curveTransports,
  async run(settings, subject, transport) {
    const counts = settings.quick ? [1, 10, 100] : [1, 10, 100, 1_000];
    const found: Measurement[] = [];
    for (const count of counts) {
      const server = { instances: count };
      const warmMs = longWarmMs(settings);
      await using running = await RunningServer.start(settings, subject, { transport, server });
      for (const { name, what, client } of kinds) {
        const [figures] = await measureAgainst(settings, subject, running, [what], {
          transport,
          client: { ...client, ...(subject === "c" ? server : {}), warmMs },
        });
        const { n, seconds } = figures!;
        const values = { cost: 1e6 * seconds / n };
        found.push({ case: `${counted(count, "peer")}, ${name}`, x: count, values });
      }
    }
    return found;
  },
  judge: (rows) => judgeCurves(rows, "first"),
};
