import { subjectTitles } from "../harness/bench_result.ts";
import { pause } from "../../test/support/until.ts";
import { patienceMs, RunningServer, startClient } from "../harness/pair.ts";
import type { PeerProcess } from "../harness/peer_process.ts";
import { counted, type Measurement, oursAndC, type Scenario } from "../harness/scenario.ts";

const mostProcesses = 4;
const fewestPerProcess = 50;
const mib = 2 ** 20;

/** Cost of idle peers. */
export const idle: Scenario = {
  name: "idle",
  title: "Idle, with many peers",
  question:
    "How much of a core and how much memory does a listening process take while its peers do nothing? " +
    "The peers listen nowhere (`listen: false`) and live in at most four processes. C sends heartbeats as often.",
  metrics: [
    {
      key: "cpu",
      title: "The listening process' load",
      unit: "% of a core",
      better: "lower",
      compared: false,
    },
    {
      key: "cpuPeers",
      title: "Load of all the peers' processes",
      unit: "% of a core",
      better: "lower",
      compared: false,
    },
    {
      key: "memory",
      title: "The listening process' memory",
      unit: "MiB resident",
      better: "lower",
      compared: false,
    },
    {
      key: "perPeer",
      title: "Memory for each peer at the listening process",
      unit: "KiB",
      better: "lower",
      compared: false,
    },
  ],
  work: "hold",
  subjects: oursAndC,
  transports: ["tcp", "ipc"],
  async run(settings, subject, transport) {
    const counts = settings.quick ? [0, 20, 100] : [0, 100, 1_000];
    const settleMs = settings.quick ? 700 : 2_000;
    const watchMs = settings.quick ? 1_000 : 4_000;
    const options = { transport, work: "hold" } as const;
    const found: Measurement[] = [];
    let alone = 0;
    for (const count of counts) {
      await using server = await RunningServer.start(settings, subject, options);
      await using holders = new AsyncDisposableStack();
      const peers: PeerProcess[] = [];
      const processes = Math.min(mostProcesses, Math.ceil(count / fewestPerProcess));
      for (let i = 0; i < processes; i++) {
        const instances = Math.floor(count / processes) + (i < count % processes ? 1 : 0);
        peers.push(holders.use(
          await startClient(settings, subject, server, { ...options, client: { instances } }),
        ));
      }
      for (const peer of peers) await peer.hear("ready", 3 * patienceMs);
      await pause(settleMs);
      const usage = () => Promise.all([server.stats(), ...peers.map((peer) => peer.ask("stats", "stats"))]);
      const start = performance.now();
      const before = await usage();
      await pause(watchMs);
      const after = await usage();
      const watchedUs = (performance.now() - start) * 1000;
      const used = after.map((stats, i) => 100 * (stats.cpuUs - before[i]!.cpuUs) / watchedUs);
      const memory = after[0]!.rss / mib;
      if (count === 0) alone = memory;
      const perPeer = count === 0 ? {} : {
        perPeer: 1024 * (memory - alone) / count,
        cpuPeers: used.slice(1).reduce((a, b) => a + b, 0),
      };
      found.push({
        case: counted(count, "peer"),
        x: count,
        values: { cpu: used[0]!, memory, ...perPeer },
      });
    }
    return found;
  },
  judge: (rows) =>
    rows.filter((row) => row.x === 100 && row.subject !== "c").map((row) => {
      const load = row.metrics["cpu"]?.median ?? 100;
      return {
        ok: load < 1,
        text: `${subjectTitles[row.subject]}, ${row.transport}: ${
          load.toFixed(2)
        } % of a core with 100 idle peers (wanted: under 1 %)`,
      };
    }),
};
