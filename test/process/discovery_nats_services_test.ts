import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import { service } from "../../src/mod.ts";
import { answerers, startPeer, whoAnswers } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { fold } from "../support/folded_watch.ts";
import { allRuntimes } from "../support/runtime.ts";
import { missing, startNats } from "../support/servers.ts";
import { test } from "../support/testing.ts";
import { until } from "../support/until.ts";

const skip = missing("nats-server");
const work = service("image.resize");

test(
  "nats: instances of a service on both runtimes are called in turn; one that is killed or stopped is gone",
  {
    skip,
  },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startNats());
    const peers = await Promise.all(
      allRuntimes.map((runtime) => startPeer(t, `nats:${server.url}#900`, ["image.resize"], runtime)),
    );
    const reader = new NatsDiscovery({ servers: [server.url], timeoutMs: 1_000 });
    const caller = await t.messenger({ discovery: reader });
    const all = peers.map(({ id }) => id).sort();
    await until(async () => isDeepStrictEqual([...(await answerers(caller, work, 6)).keys()].sort(), all), {
      message: "both to be called in turn",
    });
    assert.deepEqual(await reader.listServices(), ["image.resize"]);

    const stop = new AbortController();
    t.defer(() => stop.abort());
    const { seen } = fold(reader.watch("image.resize", { signal: stop.signal }));
    await until(() => seen.size === 2, { message: "both to be seen" });
    const [killed, stopped] = peers;
    await killed!.process.kill();
    stopped!.process.signal("SIGSTOP");
    await until(() => seen.size === 0, { message: "the silent ones to be gone" });
    stopped!.process.signal("SIGCONT");
    await until(() => seen.has(stopped!.id), { message: "the one that goes on to be back" });
    assert.equal(await whoAnswers(caller, work), stopped!.id);
  },
);

test(
  "nats: while the server is away, known instances of a service are called, and new ones after its return",
  {
    skip,
  },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startNats());
    const make = () => new NatsDiscovery({ servers: [server.url], timeoutMs: 1_000, ttlMs: 900 });
    const first = await startPeer(t, `nats:${server.url}#900`, ["image.resize"]);
    const caller = await t.messenger({ discovery: make() });
    assert.equal(await whoAnswers(caller, work), first.id);
    await server.kill();
    const late = await t.messenger({ discovery: make(), listen: false, connectTimeoutMs: 500 });
    await assert.rejects(late.unary("whoami", { to: work }), {
      code: "PEER_UNREACHABLE",
      message: /discovery cannot be asked: NATS does not serve at /,
    });
    assert.deepEqual([...await answerers(caller, work, 3)], [[first.id, 3]]);
    await server.start();
    const second = await startPeer(t, `nats:${server.url}#900`, ["image.resize"]);
    const called = new Set<string>();
    await until(async () => called.add(await whoAnswers(caller, work)).size === 2, { timeoutMs: 15_000 });
    assert.deepEqual([...called].sort(), [first.id, second.id].sort());
  },
);
