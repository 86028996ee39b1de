import { pause } from "../../test/support/until.ts";
import { ours, subjectTitles } from "../harness/bench_result.ts";
import { patienceMs, RunningServer } from "../harness/pair.ts";
import { PeerProcess } from "../harness/peer_process.ts";
import type { Scenario } from "../harness/scenario.ts";
import { flooderCommand } from "../harness/subjects.ts";

const drainMs = 20_000;

/** Effect of a stalled peer on others. */
export const stalledPeer: Scenario = {
  name: "stalled-peer",
  title: "One peer stalled at its high-water mark",
  question:
    "What becomes of 64 calls in flight to one peer while another, flooded with 1 KiB messages, is stopped " +
    "(SIGSTOP)? Without: the mean of before and after. When the peer goes on, all messages must arrive.",
  metrics: [
    { key: "without", title: "Calls a second without", unit: "/s", better: "higher", compared: false },
    {
      key: "with",
      title: "Calls a second with the stalled peer",
      unit: "/s",
      better: "higher",
      compared: false,
    },
    { key: "share", title: "With ÷ without", unit: "", better: "higher", compared: false },
    { key: "queued", title: "Messages taken until full", unit: "", better: "higher", compared: false },
  ],
  work: "calls",
  subjects: ours,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    await using called = await RunningServer.start(settings, subject, { transport });
    await using flooded = await RunningServer.start(settings, subject, { transport });
    // A peer counts as lost after three silent seconds, so it is stopped for less.
    const ms = Math.min(settings.ms, 1_000);
    await using flooder = new PeerProcess(
      "the flooder",
      flooderCommand(subject, {
        endpoints: [...called.endpoints, ...flooded.endpoints].join(","),
        inFlight: 64,
        ms,
        warmMs: 2 * settings.warmMs,
      }),
    );
    const rate = async (): Promise<number> => {
      const { n, seconds } = await flooder.ask("measure", "result", ms + patienceMs);
      return n / seconds;
    };
    await flooder.ask("warm", "warm", patienceMs);
    const before = await rate();
    flooded.process.signal("SIGSTOP");
    const { sent: queued } = await flooder.ask("flood", "warm", patienceMs);
    const stalled = await rate();
    flooded.process.signal("SIGCONT");
    const { sent } = await flooder.ask("drain", "warm", drainMs);
    const after = await rate();
    for (const start = performance.now(); performance.now() - start < drainMs; await pause(20)) {
      if ((await flooded.stats()).received >= sent) break;
    }
    const { received } = await flooded.stats();
    const without = (before + after) / 2;
    return [{
      case: "64 in flight",
      values: { without, with: stalled, share: stalled / without, queued },
      problems: received === sent ? [] : [`${sent} messages were accepted, ${received} arrived`],
    }];
  },
  judge: (rows) =>
    rows.map((row) => {
      const share = row.metrics["share"]?.median ?? 0;
      return {
        ok: share >= 0.9,
        text:
          `${subjectTitles[row.subject]} over ${row.transport}: ${
            (100 * share).toFixed(0)
          } % of the throughput is left ` +
          "beside a stalled peer (wanted: at least 90 %)",
      };
    }),
};
