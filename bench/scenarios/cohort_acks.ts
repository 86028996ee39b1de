import { median, ours, subjectTitles } from "../harness/bench_result.ts";
import { patienceMs } from "../harness/pair.ts";
import { PeerProcess } from "../harness/peer_process.ts";
import type { Scenario } from "../harness/scenario.ts";
import { cohortCommand } from "../harness/subjects.ts";

const workers = 16;
const slices = 6;

/** Cost of a broadcast with acks, compared with as many calls. */
export const cohortAcks: Scenario = {
  name: "cohort-acks",
  title: "A broadcast with acks to 16 workers",
  question:
    "A leader broadcasts 64 B to 16 worker processes and waits for all their acks: how long does that take, next to " +
    "16 calls started at once to the same workers? Both in turn, six times each.",
  metrics: [
    { key: "acks", title: "Broadcast with acks, half within", unit: "µs", better: "lower", compared: false },
    { key: "unary", title: "16 calls at once, half within", unit: "µs", better: "lower", compared: false },
    { key: "factor", title: "Broadcast ÷ calls", unit: "", better: "lower", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    const ms = Math.ceil(settings.ms / slices);
    await using leader = new PeerProcess("the leader", cohortCommand(subject, "leader", { workers, ms }));
    const { endpoints } = await leader.hear("ready", patienceMs);
    await using crew = new AsyncDisposableStack();
    for (let i = 0; i < workers; i++) {
      const command = cohortCommand(subject, "worker", { endpoint: endpoints[0]! });
      const worker = crew.use(new PeerProcess(`worker ${i}`, command));
      await worker.hear("ready", patienceMs);
    }
    await leader.ask("complete", "warm", patienceMs);
    const times = { acks: [] as number[], unary: [] as number[] };
    for (let slice = -1; slice < slices; slice++) {
      // The order alternates; measurements before all code is compiled do not count.
      for (const what of slice % 2 === 0 ? ["acks", "unary"] as const : ["unary", "acks"] as const) {
        const { p50 } = await leader.ask(what, "result", ms + patienceMs);
        if (slice >= 0) times[what].push(p50);
      }
    }
    const [acks, unary] = [median(times.acks), median(times.unary)];
    return [{ case: `${workers} workers`, values: { acks, unary, factor: acks / unary } }];
  },
  judge: (rows) =>
    rows.map((row) => {
      const factor = row.metrics["factor"]?.median ?? Number.NaN;
      return {
        ok: factor <= 1.5,
        text: `${subjectTitles[row.subject]}: ×${
          factor.toFixed(2)
        } the time of the calls (wanted: at most 1.5)`,
      };
    }),
};
