/** Tests that a feature needs its own folder and an entry in the table of features, and nothing else. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { FullStats, Messenger, MessengerOptions } from "../../src/mod.ts";
import { prometheusMeter } from "../../src/prometheus/mod.ts";
import { features } from "../../src/features.ts";
import { createWith } from "../../src/messenger.ts";
import type { AnyFeature, CountersOf } from "../../src/messenger/mod.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { type Echo, echoFeature, type EchoOptions } from "../support/features/echo_feature.ts";
import { fails } from "./messenger_kit.ts";

/** Makes a messenger with the feature, and returns what the feature attached. */
async function echoing(t: LeakCheck, options: MessengerOptions & EchoOptions = {}) {
  let echo: Echo | null = null;
  const kept: AnyFeature = {
    ...echoFeature,
    attach: (port, given) => echo = echoFeature.attach(port, given),
  };
  const messenger = t.use(await createWith([...features, kept], options));
  assert.ok(echo !== null);
  return { messenger, echo: echo as Echo };
}

test("a feature brings a handler, a flag and an option by its entry in the table alone", async () => {
  await using t = await leakCheck();
  const server = await echoing(t, { echoPrefix: "> " });
  const client = await echoing(t);
  const peer = await client.messenger.connect(server.messenger.endpoint);
  assert.equal(await client.echo.ask(peer, "text"), "> text");
  assert.equal(await server.echo.ask(client.messenger.instanceId, "back"), "back");
  // The features of the table are there as well.
  const event = client.messenger.events.newEvent();
  event.trigger();
  await server.messenger.events.awaiter(event.handle);
});

test("its counters are in stats() and at the meter by the same entry", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const server = await echoing(t, { meter });
  const client = await echoing(t);
  const peer = await client.messenger.connect(server.messenger.endpoint);
  for (const text of ["a", "b"]) await client.echo.ask(peer, text);
  // The type of `stats()` has the features of the table only.
  const statsOf = ({ messenger }: { messenger: Messenger }) =>
    (messenger.stats() as FullStats & CountersOf<typeof echoFeature>)["echo-test"];
  assert.deepEqual(statsOf(server), { echoed: 2 });
  assert.deepEqual(statsOf(client), { echoed: 0 });
  assert.equal(server.messenger.stats().events, null);
  assert.match(await meter.text(), /^zeromesh_echo_test_echoed_total 2$/m);
});

test("towards instances that lack it, or have it switched off, it is not negotiated", async () => {
  await using t = await leakCheck();
  const client = await echoing(t);
  const off = await echoing(t, { features: { "echo-test": false } as object });
  const without = await t.messenger();
  for (const { endpoint } of [off.messenger, without]) {
    assert.equal(await client.echo.ask(await client.messenger.connect(endpoint), "text"), null);
  }
});

test("its option is checked like all others, and known only where it is in the table", async () => {
  await using t = await leakCheck();
  const wrong = { echoPrefix: 7 } as never;
  await fails(createWith([...features, echoFeature], wrong), { name: "TypeError", message: /echoPrefix/ });
  const misspelt = { echoPrefx: "" } as never;
  await fails(createWith([...features, echoFeature], misspelt), { message: /"echoPrefix"/ });
  await fails(t.messenger({ echoPrefix: "> " } as never), { name: "TypeError", message: /echoPrefix/ });
  await fails(t.messenger({ features: { "echo-test": false } } as never), { message: /echo-test/ });
});

test("no file of the library names it", () => {
  const root = new URL("../../src/", import.meta.url);
  const files = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((path) =>
    path.endsWith(".ts")
  );
  assert.ok(files.length > 100);
  const naming = files.filter((path) =>
    /echo.?test|echoPrefix|echoFeature/i.test(readFileSync(new URL(path, root), "utf8"))
  );
  assert.deepEqual(naming, []);
});
