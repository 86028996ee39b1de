import assert from "node:assert/strict";
import { test } from "node:test";
import { type InstanceId, newInstanceId, ZeromeshError } from "../../src/core/mod.ts";
import { StaticDiscovery } from "../../src/discovery/mod.ts";
import { base58 } from "../../src/discovery/base58.ts";
import { ServiceDirectory } from "../../src/services/service_directory.ts";
import type { PeerDirectory, Standing } from "../../src/messenger/mod.ts";
import { type Balance, service } from "../../src/mod.ts";
import { silentLogger } from "../../src/core/mod.ts";
import { until } from "../support/until.ts";

/** A peers whose instances stand as the test says, on a clock that it moves. */
class FakeRoster implements PeerDirectory {
  at = 0;
  readonly standings = new Map<InstanceId, Standing>();
  readonly far = new Set<InstanceId>();
  /** Far ones of which nobody knows before they are connected. */
  readonly farAway = new Set<InstanceId>();
  /** Those that accept connections and say nothing. */
  readonly silent = new Set<InstanceId>();
  /** The instances that were dialled. */
  readonly reached: InstanceId[] = [];
  readonly clock = {
    now: () => this.at,
    wallNow: () => this.at,
    after: (_ms: number, fn: () => void) => {
      const timer = setTimeout(fn, 1);
      return () => clearTimeout(timer);
    },
  };
  standing(id: InstanceId): Standing {
    return this.standings.get(id) ?? "unmet";
  }
  isLocal(id: InstanceId): boolean | null {
    if (this.far.has(id)) return false;
    return this.standing(id) === "up" ? true : null;
  }
  find(): Promise<void> {
    return Promise.resolve();
  }
  reach(id: InstanceId): Promise<void> {
    this.reached.push(id);
    if (this.silent.has(id)) return new Promise(() => {});
    if (this.farAway.has(id)) this.far.add(id);
    if (this.standing(id) === "unmet") this.standings.set(id, "up");
    return Promise.resolve();
  }
  watch(): Disposable {
    return { [Symbol.dispose]() {} };
  }
}

async function directoryOf(count: number, standing: Standing = "up") {
  const peers = new FakeRoster();
  const discovery = new StaticDiscovery();
  const ids = Array.from({ length: count }, newInstanceId).sort();
  for (const id of ids) {
    await discovery.registerService("work", id);
    peers.standings.set(id, standing);
  }
  const directory = new ServiceDirectory({
    sources: [discovery],
    peers,
    connectTimeoutMs: 1_000,
    maxServices: 10,
    logger: silentLogger,
  });
  await until(() =>
    /none of its instances/.test(directory.unavailable(service("work"), 1, "TIMEOUT").message) || count === 0
  );
  const pick = (balance: Balance = "round-robin") => directory.pickNow(service("work", { balance }));
  const picks = (times: number, balance?: Balance) =>
    new Set(Array.from({ length: times }, () => pick(balance)));
  // Whoever calls gets the failure; nobody here does.
  const track = (id: InstanceId, call: Promise<unknown>) => void directory.track(id, call).catch(() => {});
  return { peers, discovery, ids, directory, track, pick, picks, [Symbol.dispose]: () => directory.close() };
}

const failed = () => Promise.reject(new ZeromeshError("HANDLER_FAILED", "no", { ran: "yes" }));
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test("round-robin takes turns", async () => {
  using d = await directoryOf(3);
  const first = [d.pick(), d.pick(), d.pick()];
  assert.deepEqual([...first].sort(), d.ids);
  assert.deepEqual([d.pick(), d.pick(), d.pick()], first);
});

test("random reaches all instances", async () => {
  using d = await directoryOf(3);
  assert.equal(d.picks(200, "random").size, 3);
});

test("least-in-flight takes the instance with the fewest calls", async () => {
  using d = await directoryOf(3);
  const busy = Promise.withResolvers<void>();
  for (const id of d.ids.slice(0, 2)) d.track(id, busy.promise);
  assert.deepEqual([...d.picks(5, "least-in-flight")], [d.ids[2]]);
  busy.resolve();
});

test("instances that are leaving, or answered that they drain, are passed over", async () => {
  using d = await directoryOf(3);
  d.peers.standings.set(d.ids[0]!, "leaving");
  d.track(d.ids[1]!, Promise.reject(new ZeromeshError("PEER_DRAINING", "bye")));
  await settle();
  assert.deepEqual([...d.picks(6)], [d.ids[2]]);
});

test("an instance that was connected and is not gets its time", async () => {
  using d = await directoryOf(2);
  assert.equal(d.picks(4).size, 2);
  d.peers.standings.set(d.ids[0]!, "connecting");
  assert.deepEqual([...d.picks(4)], [d.ids[1]]);
  d.peers.standings.set(d.ids[0]!, "up");
  d.peers.at = 2_001;
  assert.equal(d.picks(4).size, 2);
});

test("after five failures in a row an instance rests for two seconds and is tried with one call", async () => {
  using d = await directoryOf(2);
  const [bad, good] = d.ids as [InstanceId, InstanceId];
  for (let call = 0; call < 4; call++) d.track(bad, failed());
  await settle();
  assert.equal(d.picks(4).size, 2, "four failures are not enough");
  d.track(bad, failed());
  await settle();
  assert.deepEqual([...d.picks(4)], [good]);
  d.peers.at = 1_999;
  assert.deepEqual([...d.picks(4)], [good]);
  d.peers.at = 2_000;
  const tried = Array.from({ length: 6 }, () => d.pick());
  assert.equal(tried.filter((id) => id === bad).length, 1);
  d.track(bad, Promise.resolve());
  await settle();
  assert.equal(d.picks(4).size, 2, "an answer ends the rest");
});

test("an error that the contract declares, and a caller's own mistakes, are no failures", async () => {
  using d = await directoryOf(2);
  const errors = [
    new ZeromeshError("OUT_OF_STOCK", "none", { ran: "yes" }),
    new ZeromeshError("PAYLOAD_INVALID", "bad"),
    new DOMException("gave up", "AbortError"),
  ];
  for (let round = 0; round < 5; round++) {
    for (const error of errors) d.track(d.ids[0]!, Promise.reject(error));
  }
  await settle();
  assert.equal(d.picks(4).size, 2);
});

test("instances on this host come first, others when none of them is left", async () => {
  using d = await directoryOf(3);
  d.peers.far.add(d.ids[0]!);
  assert.deepEqual([...d.picks(6)].sort(), d.ids.slice(1));
  for (const id of d.ids.slice(1)) d.peers.standings.set(id, "leaving");
  assert.deepEqual([...d.picks(2)], [d.ids[0]]);
});

/** The instance that a call would go to, after a wait if necessary. */
function pickAny(d: { directory: ServiceDirectory }, balance?: Balance): Promise<InstanceId> {
  const to = service("work", { balance });
  const now = d.directory.pickNow(to);
  return now !== null ? Promise.resolve(now) : d.directory.pickLater(to, new AbortController().signal);
}

test("an instance that says nothing holds one call up for a moment, and later ones not at all", async () => {
  using d = await directoryOf(3, "unmet");
  const [first, ...others] = d.ids as [InstanceId, InstanceId, InstanceId];
  d.peers.silent.add(first);
  const called = new Set<InstanceId>();
  for (let call = 0; call < 6; call++) called.add(await pickAny(d));
  assert.deepEqual([...called].sort(), others);
  assert.equal(d.directory.stats().reaching, 1);
  assert.equal(d.peers.reached.filter((id) => id === first).length, 1, "one attempt for all calls");
  assert.deepEqual([...d.picks(6)].sort(), others);
  d.peers.standings.set(first, "up");
  assert.equal(d.picks(6).size, 3, "it is back as soon as it is connected");
});

test("those that have yet to be connected are no reason to call far away", async () => {
  using d = await directoryOf(3, "unmet");
  for (const id of d.ids.slice(0, 2)) d.peers.farAway.add(id);
  const called: InstanceId[] = [];
  for (let call = 0; call < 4; call++) called.push(await pickAny(d));
  assert.deepEqual(new Set(called), new Set([d.ids[2]]));
});

test("instances whose address says that they are far are not dialled while there is another", async () => {
  using d = await directoryOf(3, "unmet");
  for (const id of d.ids.slice(0, 2)) d.peers.far.add(id);
  for (let call = 0; call < 4; call++) assert.equal(await pickAny(d), d.ids[2]);
  assert.deepEqual(d.peers.reached, [d.ids[2]]);
  d.peers.standings.set(d.ids[2]!, "leaving");
  assert.deepEqual(new Set([await pickAny(d), await pickAny(d)]), new Set(d.ids.slice(0, 2)));
});

test("no more than 64 instances are connected to at a time", async () => {
  using d = await directoryOf(80, "unmet");
  for (const id of d.ids) d.peers.silent.add(id);
  const stop = new AbortController();
  const calls = d.ids.map(() => d.directory.pickLater(service("work"), stop.signal));
  await until(() => d.directory.stats().reaching === 64);
  await settle();
  assert.equal(d.peers.reached.length, 64);
  stop.abort(new Error("enough"));
  for (const call of calls) await assert.rejects(call, /enough/);
});

test("a service of which no instance can be called says so in time", async () => {
  using d = await directoryOf(0);
  const waiting = d.directory.pickLater(service("work"), new AbortController().signal);
  d.peers.at = 1_001;
  await assert.rejects(waiting, { code: "PEER_UNREACHABLE", ran: "no", message: /no instance offers it/ });
});

test("a service whose discovery fails says why", async () => {
  const discovery = new StaticDiscovery();
  discovery.watch = () => {
    throw new Error("the file may not be read");
  };
  const peers = new FakeRoster();
  const options = { sources: [discovery], peers, connectTimeoutMs: 1_000, maxServices: 10 };
  const directory = new ServiceDirectory({ ...options, logger: silentLogger });
  const waiting = directory.pickLater(service("work"), new AbortController().signal);
  peers.at = 1_001;
  await assert.rejects(waiting, {
    code: "PEER_UNREACHABLE",
    message: /cannot be asked: .*the file may not be read/,
    cause: new Error("the file may not be read"),
  });
  directory.close();
});

test("service() refuses what cannot be a service", () => {
  assert.throws(() => service(""), TypeError);
  assert.throws(() => service("x", { balance: "best" as Balance }), TypeError);
});

test("base 58 is Bitcoin's", () => {
  assert.equal(base58(new TextEncoder().encode("Hello World!")), "2NEpo7TZRRrLZSi2U");
  assert.equal(base58(new Uint8Array([0, 0, 40, 127, 180, 205])), "11233QC4");
});
