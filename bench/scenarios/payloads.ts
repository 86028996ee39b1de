import { measurePair } from "../harness/pair.ts";
import { allSubjects, callRate, type Scenario } from "../harness/scenario.ts";

const sizes = [["4 KiB", 4 * 1024], ["64 KiB", 64 * 1024], ["1 MiB", 1024 * 1024]] as const;
const inFlight = 4;

/** Cost of large payloads. */
export const payloads: Scenario = {
  name: "payloads",
  title: "Large payloads, 4 calls in flight",
  question: "How many calls a second carry 4 KiB, 64 KiB and 1 MiB there and back?",
  metrics: [callRate],
  work: "calls",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const cases = sizes.map(([, size]) => `calls:${inFlight}:${size}`);
    const figures = await measurePair(settings, subject, cases, { transport });
    return figures.map(({ n, seconds }, i) => ({ case: sizes[i]![0], values: { rate: n / seconds } }));
  },
};
