/** Watches in etcd whose history is thrown away before they begin. */
import assert from "node:assert/strict";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "../support/testing.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { assertWhole, fold, story } from "../support/folded_watch.ts";
import { callEtcd, missing, startEtcd, type TestServer } from "../support/servers.ts";
import { until } from "../support/until.ts";

const skip = missing("etcd");

/** Stands before etcd and has something happen between the reading of a state and the watch that goes on from it. */
interface Gate {
  readonly url: string;
  /** The answers of etcd to watches. */
  answers: string;
  /** Called once, before the next watch goes on to etcd. */
  before: (() => Promise<void>) | null;
  /** Ends the watches that are open. */
  cut(): void;
}

async function openGate(t: LeakCheck, etcd: TestServer): Promise<Gate> {
  const open = new Set<() => void>();
  const server = createServer((request, response) => {
    const parts: Uint8Array[] = [];
    request.on("data", (part: Uint8Array) => parts.push(part));
    request.on("end", async () => {
      const path = request.url ?? "";
      const watches = path === "/v3/watch";
      const { before } = gate;
      if (watches && before !== null) {
        gate.before = null;
        await before();
      }
      const onward = forward(`${etcd.url}${path}`, { method: "POST", agent: false }, (answer) => {
        response.statusCode = answer.statusCode ?? 500;
        answer.on("data", (part: Uint8Array) => {
          if (watches) gate.answers += new TextDecoder().decode(part);
          response.write(part);
        });
        answer.on("end", () => response.end());
        answer.on("error", () => response.destroy());
      });
      const end = (): void => {
        open.delete(end);
        onward.destroy();
        response.destroy();
      };
      if (watches) open.add(end);
      onward.on("error", end);
      response.on("close", end);
      for (const part of parts) onward.write(part);
      onward.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gate: Gate = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answers: "",
    before: null,
    cut: () => {
      for (const end of [...open]) end();
    },
  };
  t.defer(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      gate.cut();
      server.closeAllConnections();
    })
  );
  return gate;
}

/** Throws all history away. */
async function compact(server: TestServer): Promise<void> {
  const { header } = await callEtcd(server, "/v3/kv/range", { key: "AA==" });
  const { revision } = header as { revision: string };
  await callEtcd(server, "/v3/kv/compaction", { revision, physical: true });
}

test(
  "etcd: a watch whose beginning was compacted away is told so, and misses nothing",
  { skip },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startEtcd());
    const gate = await openGate(t, server);
    const writer = new EtcdDiscovery({ endpoints: [server.url] });
    const reader = new EtcdDiscovery({ endpoints: [gate.url], timeoutMs: 1_000 });
    const stop = new AbortController();
    t.defer(() => stop.abort());
    const folded = fold(reader.watch("resize", { signal: stop.signal }));
    const [stays, goes, comes, late] = [newInstanceId(), newInstanceId(), newInstanceId(), newInstanceId()];
    const kept = [await writer.registerService("resize", stays)];
    const going = await writer.registerService("resize", goes);
    await until(() => folded.seen.size === 2, { message: () => story(folded) });
    for (let round = 0; round < 3; round++) {
      const answered = gate.answers.length;
      gate.before = async () => {
        // The state is read already; what now happens is in no history when the watch begins.
        if (round === 0) await going.unregister();
        if (round === 1) kept.push(await writer.registerService("resize", comes));
        await (await writer.registerService("resize", newInstanceId())).unregister();
        await compact(server);
      };
      gate.cut();
      await until(() => /"canceled":true[^}]*"compact_revision":"\d+"/.test(gate.answers.slice(answered)), {
        message: () =>
          `etcd to refuse the watch for the compaction; it answered ${gate.answers.slice(answered)}`,
      });
    }
    const expected = [stays, comes].sort().join();
    await until(() => [...folded.seen].sort().join() === expected, { message: () => story(folded) });
    // The watch that goes on after it is a living one.
    kept.push(await writer.registerService("resize", late));
    await until(() => folded.seen.has(late), { message: () => story(folded) });
    assertWhole(folded);
    assert.equal(folded.events.some((event) => event.includes(`removed ${stays}`)), false, story(folded));
    for (const registration of kept) await registration.unregister();
  },
);
