import assert from "node:assert/strict";
import { test } from "node:test";
import { NatsDiscovery } from "../../src/discovery/nats.ts";
import { newInstanceId } from "../../src/core/mod.ts";
import { unaryHandler } from "../../src/mod.ts";
import { whoAnswers } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { missing, startNats } from "../support/servers.ts";
import { until } from "../support/until.ts";

const skip = missing("nats-server");

test("nats: an instance is found and called, and found again after the server was killed and restarted", {
  skip,
}, async () => {
  await using t = await leakCheck();
  const server = t.use(await startNats());
  const make = () => new NatsDiscovery({ servers: [server.url], timeoutMs: 1_000 });
  const callee = await t.messenger({ discovery: make() });
  callee.registerHandler(unaryHandler("whoami", () => new TextEncoder().encode(callee.instanceId)));
  const caller = await t.messenger({ discovery: make() });
  assert.equal(await whoAnswers(caller, callee.instanceId), callee.instanceId);
  await server.kill();
  assert.equal(await whoAnswers(caller, callee.instanceId), callee.instanceId);
  await server.start();
  const reader = make();
  const use = reader.use();
  await until(async () => await reader.discoverByInstanceId(callee.instanceId) !== null, {
    timeoutMs: 15_000,
    message: "the subscriptions to come back",
  });
  await use[Symbol.asyncDispose]();
});

test(
  "nats: nobody is found at once, and a server that is not there is an error that says so",
  { skip },
  async () => {
    await using t = await leakCheck();
    const server = t.use(await startNats());
    const caller = await t.messenger({ discovery: new NatsDiscovery({ servers: [server.url] }) });
    const id = newInstanceId();
    await assert.rejects(caller.availableHandlers(id), { code: "PEER_UNKNOWN", peer: id });
    await server.kill();
    const late = new NatsDiscovery({ servers: [server.url], timeoutMs: 500 });
    await assert.rejects(late.discoverByInstanceId(id), { code: "PEER_UNREACHABLE" });
  },
);
