import { measurePair } from "../harness/pair.ts";
import { allSubjects, type Scenario } from "../harness/scenario.ts";

const sizes = [64, 1024];

/** Messages a second without an answer. */
export const amSend: Scenario = {
  name: "am-send",
  title: "Messages without an answer",
  question:
    "How many `amSend` messages a second arrive, counted by the receiver? C and zeromq: PUSH to PULL.",
  metrics: [
    { key: "rate", title: "Messages received a second", unit: "/s", better: "higher", compared: true },
  ],
  work: "sends",
  subjects: allSubjects,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const cases = sizes.map((size) => `sends:0:${size}`);
    const figures = await measurePair(settings, subject, cases, { transport, work: "sends" });
    return figures.map(({ receivedRate, lost, n }, i) => ({
      case: sizes[i] === 64 ? "64 B" : "1 KiB",
      values: { rate: receivedRate },
      problems: lost === 0 ? [] : [`${lost} of ${n} messages did not arrive`],
    }));
  },
};
