import { isOurs } from "../harness/bench_result.ts";
import { patienceMs, RunningServer, startClient } from "../harness/pair.ts";
import { PeerProcess } from "../harness/peer_process.ts";
import { allSubjects, type Scenario } from "../harness/scenario.ts";
import { helloCommand } from "../harness/subjects.ts";

/** Time from the start of a process to its first answer. */
export const startUp: Scenario = {
  name: "start-up",
  title: "From the start of a process to its first answer",
  question:
    "How long does it take from starting the caller's process until it has the answer to its first call? " +
    "The server runs already; the runtime's own start is part of it.",
  metrics: [
    { key: "ms", title: "First answer after", unit: "ms", better: "lower", compared: true },
    {
      key: "alone",
      title: "A script that only says hello, after",
      unit: "ms",
      better: "lower",
      compared: false,
    },
  ],
  work: "calls",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    await using server = await RunningServer.start(settings, subject, { transport });
    const options = { transport, client: { first: 1 } };
    const ms = await secondStart(() => startClient(settings, subject, server, options));
    const alone = isOurs(subject)
      ? { alone: await secondStart(() => new PeerProcess("a script", helloCommand(subject))) }
      : {};
    return [{ case: "1 call", values: { ms, ...alone } }];
  },
};

/** Duration of the second start: the first one fills the caches of the file system and of the runtime. */
async function secondStart(start: () => PeerProcess | Promise<PeerProcess>): Promise<number> {
  let took = 0;
  for (let i = 0; i < 2; i++) {
    const began = performance.now();
    await using process = await start();
    await process.hear("first", patienceMs);
    took = performance.now() - began;
  }
  return took;
}
