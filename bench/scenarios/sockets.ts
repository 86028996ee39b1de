import type { SubjectName } from "../harness/bench_result.ts";
import { measurePair } from "../harness/pair.ts";
import { callRate, type Measurement, type Scenario } from "../harness/scenario.ts";

const sizes = [["64 B", 64], ["1 KiB", 1024], ["1 MiB", 1024 * 1024]] as const;
const subjects: readonly SubjectName[] = ["bun", "c", "deno", "mixed", "zeromq"];

/** The sockets of `zeromesh/zmq`, one-way and with answers. */
export const socketsOneWay: Scenario = {
  name: "sockets",
  title: "ZeroMQ sockets: PUSH to PULL",
  question:
    "How many messages a second go from a PUSH to a PULL with `zeromesh/zmq`, in C, and with the package `zeromq` on Node?",
  metrics: [
    { key: "rate", title: "Messages received a second", unit: "/s", better: "higher", compared: true },
  ],
  work: "socketSends",
  subjects,
  transports: ["tcp"],
  async run(settings, subject, transport) {
    const cases = sizes.map(([, size]) => `sends:0:${size}`);
    const figures = await measurePair(settings, subject, cases, { transport, work: "socketSends" });
    return figures.map(({ receivedRate, lost, n }, i): Measurement => ({
      case: sizes[i]![0],
      values: { rate: receivedRate },
      problems: lost === 0 ? [] : [`${lost} of ${n} messages did not arrive`],
    }));
  },
};

/** Requests and replies. */
export const socketsCalls: Scenario = {
  name: "sockets-calls",
  title: "ZeroMQ sockets: DEALER to ROUTER and back, 64 B",
  question: "How long does an answer take with `zeromesh/zmq`, in C, and with the package `zeromq` on Node?",
  metrics: [
    { key: "p50", title: "Half of the answers within", unit: "µs", better: "lower", compared: true },
    callRate,
  ],
  work: "socketCalls",
  subjects,
  transports: ["tcp"],
  async run(settings, subject, transport) {
    const cases = ["calls:1:64", "calls:64:64"];
    const figures = await measurePair(settings, subject, cases, { transport, work: "socketCalls" });
    return figures.map(({ p50, n, seconds }, i): Measurement => ({
      case: i === 0 ? "1 in flight" : "64 in flight",
      values: { p50, rate: n / seconds },
    }));
  },
};
