import { type Metric, ours } from "../harness/bench_result.ts";
import { patienceMs } from "../harness/pair.ts";
import { PeerProcess } from "../harness/peer_process.ts";
import { bounded } from "../harness/program_pair.ts";
import type { Scenario } from "../harness/scenario.ts";
import { actorCommand } from "../harness/subjects.ts";

const metric = (key: string, title: string, unit: string, better: Metric["better"]): Metric => ({
  key,
  title,
  unit,
  better,
  compared: false,
});

/** Actors of one process. */
export const actorLocal: Scenario = {
  name: "actor-local",
  title: "Actors in one process",
  question:
    "What share of the rate of a loop that pushes numbers to an array and awaits a function for each does `tell` reach, and how " +
    "do tells to 1 000 actors in turn compare with those to one? How long does an update pause an actor with 10 000 queued " +
    "messages, and what memory does an actor take that does nothing?",
  metrics: [
    metric("rate", "Tells a second", "/s", "higher"),
    metric("share", "Tells ÷ the loop", "", "higher"),
    metric("many", "1 000 actors ÷ one", "", "higher"),
    metric("pause", "Pause of an update, 99 % within", "ms", "lower"),
    metric("heap", "Heap of an idle actor", "bytes", "lower"),
    metric("rss", "Resident memory of an idle actor", "bytes", "lower"),
  ],
  work: "calls",
  subjects: ours.filter((subject) => subject !== "mixed"),
  transports: ["tcp"],
  async run({ quick }, subject) {
    const command = actorCommand(subject, "local", { quick: quick ? 1 : 0 });
    await using program = new PeerProcess(`${subject}: the actors`, command);
    await program.hear("ready", patienceMs);
    const figures: Record<string, number> = {};
    for (const what of ["idle", "tell", "update"]) {
      Object.assign(figures, (await program.ask(what, "figures", 6 * patienceMs)).values);
    }
    return [{ case: "one process", values: figures }];
  },
  judge: (rows) => [
    ...bounded(rows, "rate", "tells a second:", { least: 100_000 }),
    ...bounded(rows, "share", "tells reach of a loop's rate:", { least: 0.25 }),
    ...bounded(rows, "many", "1 000 actors reach of one actor's rate:", { least: 0.7 }),
    ...bounded(rows, "pause", "99 of 100 updates pause the actor for, in ms:", { most: 5 }),
    ...bounded(rows, "heap", "bytes of an idle actor:", { most: 4_096 }),
  ],
};
