/** What features reach a messenger through. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  amHandler,
  type InstanceId,
  type Messenger,
  type MessengerOptions,
  unaryHandler,
} from "../../src/mod.ts";
import { portOf, type SystemPort } from "../../src/messenger/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { fails, pair } from "./messenger_kit.ts";

const nothing = new Uint8Array(0);

/** Two instances with their ports. */
async function ports(
  t: Parameters<typeof pair>[0],
  options: { server?: MessengerOptions; client?: MessengerOptions } = {},
): Promise<{ server: Messenger; client: Messenger; peer: InstanceId; at: SystemPort; from: SystemPort }> {
  const { server, client, peer } = await pair(t, options);
  const [at, from] = [portOf(server), portOf(client)];
  assert.ok(at !== undefined && from !== undefined);
  return { server, client, peer, at, from };
}

test("a feature's handler is there until it is disposed of, and users hear of neither", async () => {
  await using t = await leakCheck();
  const { server, peer, at, from } = await ports(t);
  const changes = server.status();
  const handler = at.handle("_extra", "unary", () => Uint8Array.of(7));
  assert.deepEqual([...await from.call("_extra", peer, nothing, {})], [7]);
  assert.throws(() => at.handle("_extra", "unary", () => nothing), { code: "HANDLER_EXISTS" });
  handler[Symbol.dispose]();
  await fails(from.call("_extra", peer, nothing, {}), { code: "HANDLER_NOT_FOUND" });
  const again = at.handle("_extra", "unary", () => Uint8Array.of(8));
  handler[Symbol.dispose]();
  assert.deepEqual([...await from.call("_extra", peer, nothing, {})], [8], "the first one is not this one's");
  again[Symbol.dispose]();
  server.registerHandler(amHandler("users", () => {}));
  const { value } = await changes.next();
  assert.deepEqual(value, { type: "handlerRegistered", handler: "users" });
});

test("while an instance drains, of a feature's handlers those run that say so", async () => {
  await using t = await leakCheck();
  const { server, client, peer, at, from } = await ports(t);
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  server.registerHandler(amHandler("work", async () => {
    begin();
    await finished;
  }));
  at.handle("_always", "unary", () => Uint8Array.of(1), { whileDraining: true });
  at.handle("_mostly", "unary", () => Uint8Array.of(2));
  const work = client.amSync("work", { to: peer });
  await begun;
  const closed = server.close();
  assert.deepEqual([...await from.call("_always", peer, nothing, {})], [1]);
  await fails(from.call("_mostly", peer, nothing, {}), { code: "PEER_DRAINING" });
  finish();
  await Promise.all([work, closed]);
});

test("supports() tells which features both ends speak, as long as there is a connection", async () => {
  await using t = await leakCheck();
  const { client, peer, at, from } = await ports(t, { server: { features: { events: false } } });
  assert.equal(from.supports(peer, "cancel"), true);
  assert.equal(from.supports(peer, "events"), false);
  const seen: boolean[] = [];
  at.handle("_ask", "unary", (message) => {
    seen.push(message.supports("cancel"), message.supports("events"));
    return nothing;
  });
  await from.call("_ask", peer, nothing, {});
  assert.deepEqual(seen, [true, false]);
  client.disconnect(peer);
  assert.equal(from.supports(peer, "cancel"), false);
});

test("handlers with the system's admission run beside a messenger's limits, and come all or none", async () => {
  await using t = await leakCheck();
  const { server, client, peer, at } = await ports(t, { server: { concurrency: 1 } });
  const { promise: finished, resolve: finish } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  server.registerHandler(amHandler("work", async () => {
    begin();
    await finished;
  }));
  const beat = unaryHandler("beat", () => Uint8Array.of(3));
  assert.throws(
    () => at.register([beat, amHandler("work", () => {})], { admission: "system" }),
    { code: "HANDLER_EXISTS" },
  );
  using _ = at.register([beat], { admission: "system" });
  const work = client.amSync("work", { to: peer });
  await begun;
  assert.deepEqual([...await client.unary("beat", { to: peer })], [3]);
  finish();
  await work;
});

test("a registering instance is offered to the watchers in order until one takes it", async () => {
  await using t = await leakCheck();
  const { client, peer, at } = await ports(t);
  const asked: string[] = [];
  const watch = (name: string, takes: boolean): Disposable =>
    at.watch({ registered: (id) => asked.push(`${name} ${id === client.instanceId}`) > 0 && takes });
  const first = watch("first", false);
  watch("second", true);
  watch("third", true);
  await client.announceTo(peer);
  assert.deepEqual(asked, ["first true", "second true"]);
  first[Symbol.dispose]();
  await client.announceTo(peer);
  assert.deepEqual(asked.slice(2), ["second true"]);
});

test("several parts may have something go before the next call", async () => {
  await using t = await leakCheck();
  const { server, client, peer, from } = await ports(t);
  server.registerHandler(unaryHandler("ping", () => {}));
  const order: string[] = [];
  const one = from.beforeCalls(() => void order.push("one"));
  const two = from.beforeCalls(() => void order.push("two"));
  await client.unary("ping", { to: peer });
  assert.deepEqual(order, ["one", "two"]);
  one[Symbol.dispose]();
  await client.unary("ping", { to: peer });
  assert.deepEqual(order, ["one", "two", "two"]);
  two[Symbol.dispose]();
  await client.unary("ping", { to: peer });
  assert.equal(order.length, 3);
});
