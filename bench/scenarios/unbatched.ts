import { measurePair } from "../harness/pair.ts";
import { callRate, oursAndC, type Scenario } from "../harness/scenario.ts";

/** Rate without batching. */
export const unbatched: Scenario = {
  name: "unbatched",
  title: "Without batching, 64 in flight, 64 B",
  question: "How many calls a second when each message leaves on its own (`features: { batch: false }`)?",
  metrics: [callRate],
  work: "calls",
  subjects: oursAndC,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const client = subject === "c" ? {} : { single: 1 };
    const [figures] = await measurePair(settings, subject, ["calls:64:64"], { transport, client });
    return [{ case: "64 in flight", values: { rate: figures!.n / figures!.seconds } }];
  },
};
