import assert from "node:assert/strict";
import { test } from "node:test";
import { EtcdDiscovery } from "../../src/discovery/etcd.ts";
import { type InstanceId, newInstanceId } from "../../src/core/mod.ts";
import type { ServiceEvent } from "../../src/discovery/mod.ts";
import { service, unaryHandler } from "../../src/mod.ts";
import { startPeer, whoAnswers } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { longRun } from "../support/runtime.ts";
import { missing, startEtcd } from "../support/servers.ts";
import { pause, until } from "../support/until.ts";

const skip = missing("etcd");
const resize = service("resize");

interface Folded {
  readonly seen: Set<InstanceId>;
  /** What broke the promises of a watch. */
  readonly broken: string[];
  /** The last events, with how many milliseconds after the beginning each came. */
  readonly events: string[];
  initials: number;
}

/** What a watch told, for the messages of tests. */
function story({ seen, broken, events }: Folded): string {
  return `${events.join(", ")}; folded to [${[...seen].join()}]; broken: [${broken.join()}]`;
}

function assertWhole(folded: Folded): void {
  assert.deepEqual(folded.broken, [], story(folded));
  assert.equal(folded.initials, 1, story(folded));
}

/** Folds a watch in the background. */
function fold(watch: AsyncIterable<ServiceEvent>): Folded {
  const folded: Folded = { seen: new Set(), broken: [], events: [], initials: 0 };
  const begun = performance.now();
  void (async () => {
    for await (const event of watch) {
      const about = event.type === "initial" ? `[${event.instances.join()}]` : event.instance;
      folded.events.push(`${Math.round(performance.now() - begun)} ms: ${event.type} ${about}`);
      if (folded.events.length > 50) folded.events.shift();
      if (event.type === "initial") {
        folded.initials++;
        for (const id of event.instances) folded.seen.add(id);
      } else if (event.type === "added") {
        if (folded.seen.has(event.instance)) folded.broken.push(`${event.instance} was added twice`);
        folded.seen.add(event.instance);
      } else if (!folded.seen.delete(event.instance)) folded.broken.push(`${event.instance} was not there`);
    }
  })();
  return folded;
}

test("etcd: across a kill and restart under load a watch folds to the final state, without duplicates", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const server = t.use(await startEtcd());
  const writer = new EtcdDiscovery({ endpoints: [server.url], timeoutMs: 1_000 });
  const reader = new EtcdDiscovery({ endpoints: [server.url], timeoutMs: 1_000 });
  const stop = new AbortController();
  t.defer(() => stop.abort());
  const folded = fold(reader.watch("resize", { signal: stop.signal }));
  await until(() => folded.initials === 1);
  const kept = new Set<InstanceId>();
  const registrations: AsyncDisposable[] = [];
  const rounds = 60;
  const killed = Promise.withResolvers<void>();
  for (let round = 0; round < rounds; round++) {
    if (round === rounds / 3) void server.kill().then(() => killed.resolve());
    if (round === rounds / 3 + 5) await killed.promise.then(() => server.start());
    const [stays, goes] = [newInstanceId(), newInstanceId()];
    try {
      registrations.push(await writer.registerService("resize", stays));
      kept.add(stays);
      await (await writer.registerService("resize", goes)).unregister();
    } catch (error) {
      assert.equal((error as { code?: string }).code, "PEER_UNREACHABLE");
    }
  }
  // What was written just before the kill can have been stored although nobody was told.
  const final = async () => (await reader.getInstances("resize")).sort();
  for (const id of kept) assert.ok((await final()).includes(id), `${id} is lost`);
  await until(async () => String([...folded.seen].sort()) === String(await final()), {
    timeoutMs: 10_000,
    message: () => `${folded.seen.size} seen to become ${kept.size} or a little more`,
  });
  assertWhole(folded);
  for (const registration of registrations) await registration[Symbol.asyncDispose]();
  await until(() => folded.seen.size <= 20, { message: () => `${folded.seen.size} to go` });
});

test("etcd: while the server is away, instances that are known are called, and new ones after its return", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const server = t.use(await startEtcd());
  const peer = await startPeer(t, `etcd:${server.url}`, ["resize"]);
  const caller = await t.messenger({
    discovery: new EtcdDiscovery({ endpoints: [server.url] }),
    connectTimeoutMs: 20_000,
  });
  assert.equal(await whoAnswers(caller, resize), peer.id);
  await server.kill();
  for (let call = 0; call < 20; call++) assert.equal(await whoAnswers(caller, resize), peer.id);
  await server.start();
  const late = await startPeer(t, `etcd:${server.url}`, ["resize"]);
  await until(async () => await whoAnswers(caller, resize) === late.id, {
    message: "the new instance's turn",
  });
});

test(
  "etcd: a process that is stopped beyond its lease is gone, and comes back when it goes on",
  { skip },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startEtcd());
    const peer = await startPeer(t, `etcd:${server.url}#2000`, ["resize"]);
    const reader = new EtcdDiscovery({ endpoints: [server.url] });
    const stop = new AbortController();
    t.defer(() => stop.abort());
    const folded = fold(reader.watch("resize", { signal: stop.signal }));
    await until(() => folded.seen.has(peer.id));
    peer.process.signal("SIGSTOP");
    await until(() => !folded.seen.has(peer.id), {
      timeoutMs: 15_000,
      message: () => `the lease to end; so far ${story(folded)}`,
    });
    // Where it was about to write everything anew when it stopped, its address stands under a second lease.
    await until(async () => await reader.discoverByInstanceId(peer.id) === null, {
      timeoutMs: 15_000,
      message: () => `its address to go too; so far ${story(folded)}`,
    });
    peer.process.signal("SIGCONT");
    await until(() => folded.seen.has(peer.id), {
      timeoutMs: 10_000,
      message: () => `the return; so far ${story(folded)}; the process said ${peer.process.errorText}`,
    });
    const caller = await t.messenger({ discovery: reader });
    assert.equal(await whoAnswers(caller, resize), peer.id, story(folded));
    assertWhole(folded);
  },
);

test("etcd: a killed process is gone when its lease ends", { skip }, async () => {
  await using t = await leakCheck();
  const server = t.use(await startEtcd());
  const peer = await startPeer(t, `etcd:${server.url}#2000`, ["resize"]);
  const reader = new EtcdDiscovery({ endpoints: [server.url] });
  assert.deepEqual(await reader.getInstances("resize"), [peer.id]);
  await peer.process.kill();
  await until(async () => (await reader.getInstances("resize")).length === 0, {
    timeoutMs: 15_000,
    message: "the lease to end",
  });
});

test("etcd: a watch goes on over a compaction", { skip }, async () => {
  await using t = await leakCheck();
  const server = t.use(await startEtcd());
  const discovery = new EtcdDiscovery({ endpoints: [server.url], timeoutMs: 1_000 });
  const stop = new AbortController();
  t.defer(() => stop.abort());
  const folded = fold(discovery.watch("resize", { signal: stop.signal }));
  await until(() => folded.initials === 1);
  const [before, after] = [newInstanceId(), newInstanceId()];
  const one = await discovery.registerService("resize", before);
  await until(() => folded.seen.has(before));
  await server.kill();
  await server.start();
  // While nobody watches, history up to now is thrown away.
  const two = await discovery.registerService("resize", after);
  await one.unregister();
  await post(`${server.url}/v3/kv/compaction`, { revision: await revision(server.url), physical: true });
  await until(() => folded.seen.has(after) && !folded.seen.has(before), { message: "the state after it" });
  assertWhole(folded);
  await two.unregister();
});

test("etcd: instances registered at 50 a second are reached within 100 ms, and a watch tells of each once", {
  skip,
}, async () => {
  await using t = await leakCheck({ settleMs: 10_000 });
  const server = t.use(await startEtcd());
  const total = longRun ? 1_000 : 100;
  const discovery = new EtcdDiscovery({ endpoints: [server.url] });
  const reader = new EtcdDiscovery({ endpoints: [server.url] });
  const caller = await t.messenger({ discovery: reader });
  const stop = new AbortController();
  t.defer(() => stop.abort());
  const folded = fold(reader.watch("resize", { signal: stop.signal }));
  await until(() => folded.initials === 1);
  const delays: number[] = [];
  const begun = performance.now();
  await Promise.all(Array.from({ length: total }, async (_, count) => {
    await pause(count * 20);
    const made = await t.messenger({ discovery, services: ["resize"] });
    made.registerHandler(unaryHandler("whoami", () => new TextEncoder().encode(made.instanceId)));
    const registeredAt = performance.now();
    assert.equal(await whoAnswers(caller, made.instanceId), made.instanceId);
    delays.push(performance.now() - registeredAt);
  }));
  const rate = total / (performance.now() - begun) * 1_000;
  delays.sort((a, b) => a - b);
  const at = (share: number): string => delays[Math.ceil(share * total) - 1]!.toFixed(1);
  console.log(
    `# ${total} at ${rate.toFixed(1)} a second: reached in ${at(0.5)} ms (median), ${at(0.95)} ms (95 %)`,
  );
  assert.ok(Number(at(0.95)) <= 100, `95 % were reached within ${at(0.95)} ms`);
  await until(() => folded.seen.size === total, {
    message: () => `${folded.seen.size} of ${total} to be told`,
  });
  assertWhole(folded);
});

test("etcd: user and password are used, and wrong ones are refused", { skip }, async () => {
  await using t = await leakCheck();
  const server = t.use(await startEtcd());
  await post(`${server.url}/v3/auth/user/add`, { name: "root", password: "secret" });
  await post(`${server.url}/v3/auth/user/grant`, { user: "root", role: "root" });
  await post(`${server.url}/v3/auth/enable`, {});
  const endpoints = [server.url];
  const discovery = new EtcdDiscovery({ endpoints, auth: { username: "root", password: "secret" } });
  const id = newInstanceId();
  const registration = await discovery.registerService("resize", id);
  assert.deepEqual(await discovery.getInstances("resize"), [id]);
  await registration.unregister();
  const wrong = new EtcdDiscovery({ endpoints, auth: { username: "root", password: "guess" } });
  await assert.rejects(wrong.getInstances("resize"), { code: "FORBIDDEN" });
  await assert.rejects(new EtcdDiscovery({ endpoints }).getInstances("resize"), { code: "FORBIDDEN" });
});

async function post(url: string, body: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(url, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { connection: "close" },
  });
  const answer = await response.json() as Record<string, unknown>;
  assert.equal(response.status, 200, JSON.stringify(answer));
  return answer;
}

async function revision(url: string): Promise<string> {
  const { header } = await post(`${url}/v3/kv/range`, { key: "AA==" });
  return (header as { revision: string }).revision;
}
