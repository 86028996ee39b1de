import { startClient } from "../harness/pair.ts";
import { patienceMs, RunningServer } from "../harness/pair.ts";
import { allSubjects, type Scenario } from "../harness/scenario.ts";

/** How long from the start of a process to its first answer? */
export const startUp: Scenario = {
  name: "start-up",
  title: "From the start of a process to its first answer",
  question:
    "How long does it take from starting the caller's process until it has the answer to its first call? " +
    "The server runs already; the runtime's own start is part of it.",
  metrics: [{ key: "ms", title: "First answer after", unit: "ms", better: "lower", compared: true }],
  work: "calls",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    await using server = await RunningServer.start(settings, subject, { transport });
    const options = { transport, client: { first: 1 } };
    // The first start fills the caches of the file system and of the runtime.
    for (let i = 0;; i++) {
      const start = performance.now();
      await using client = await startClient(settings, subject, server, options);
      await client.hear("first", patienceMs);
      if (i === 1) return [{ case: "first answer", values: { ms: performance.now() - start } }];
    }
  },
};
