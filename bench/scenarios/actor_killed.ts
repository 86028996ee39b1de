import { ours } from "../harness/bench_result.ts";
import { bounded, ProgramPair } from "../harness/program_pair.ts";
import type { Scenario } from "../harness/scenario.ts";

/** Time until the loss of an instance is known. */
export const actorKilled: Scenario = {
  name: "actor-killed",
  title: "An instance that is killed",
  question:
    "A client watches 100 actors of another instance, has a channel to each, and waits for 1 000 asks. The instance is killed " +
    "(SIGKILL). When do the last watch, channel and ask know it?",
  metrics: [
    { key: "known", title: "All know after", unit: "ms", better: "lower", compared: false },
    { key: "waiting", title: "Watches, channels and asks", unit: "", better: "higher", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp"],
  async run(settings, subject) {
    await using pair = await ProgramPair.start(settings, subject, "actors");
    const { waiting } = await pair.figures("hold");
    const killed = pair.kill();
    const { at } = await pair.figures("lost");
    return [{ case: "100 actors", values: { known: at! - killed, waiting: waiting! } }];
  },
  judge: (rows) => bounded(rows, "known", "all know of the death after ms:", { most: 1_000 }),
};
