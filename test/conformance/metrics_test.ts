/** Numbers about a messenger: what they count, in which form they leave, and that the page lists all of them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { Registry } from "prom-client";
import { joinCohort, LeaderWorkerCohort } from "../../src/cohort/mod.ts";
import { ActorSystem } from "../../src/actors/mod.ts";
import { ActiveMessageExecutor } from "../../src/executor/mod.ts";
import { amHandler, type InstanceId, type Messenger, unaryHandler } from "../../src/mod.ts";
import { otelMeter } from "../../src/otel/mod.ts";
import { prometheusMeter } from "../../src/prometheus/mod.ts";
import { leakCheck } from "../support/fixture.ts";
import { occupiedPort } from "../support/ports.ts";
import { repositoryRoot } from "../support/runtime.ts";
import { pause, until } from "../support/until.ts";
import { bytes, fails, gate, pair } from "./messenger_kit.ts";

/** Values of the text format by name and labels, as they stand in it. */
function parse(text: string): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#")) continue;
    const match = /^([a-z_]+(?:\{.*\})?) (\S+)$/.exec(line);
    assert.ok(match, `no line of the text format: ${line}`);
    assert.ok(!values.has(match[1]!), `twice: ${line}`);
    values.set(match[1]!, Number(match[2]));
  }
  return values;
}

function echoes(messenger: Messenger): void {
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload));
  messenger.registerHandler(unaryHandler("slow", async ({ payload }) => {
    await pause(40);
    return payload;
  }));
  messenger.registerHandler(unaryHandler("fail", () => {
    throw new Error("boom");
  }));
}

test("metrics count calls, messages by handler and outcome, and failures by code", async () => {
  await using t = await leakCheck();
  const [of, at] = [prometheusMeter({ labels: { role: "client" } }), prometheusMeter()];
  const { client, server, peer } = await pair(t, { client: { meter: of }, server: { meter: at } });
  echoes(server);
  for (let i = 0; i < 5; i++) await client.unary("echo", { to: peer, rawPayload: bytes("hi") });
  await Promise.all([1, 2].map(() => client.unary("slow", { to: peer })));
  await fails(client.unary("fail", { to: peer }), { code: "HANDLER_FAILED" });
  await fails(client.unary("nothing", { to: peer }), { code: "HANDLER_NOT_FOUND" });
  await fails(client.unary("slow", { to: peer, timeoutMs: 5 }), { code: "TIMEOUT" });
  const reason = new Error("enough");
  const given = new AbortController();
  const call = client.unary("slow", { to: peer, signal: given.signal });
  given.abort(reason);
  await assert.rejects(call, reason);
  await until(() => server.stats().handlers.running === 0);

  const served = parse(await at.text());
  const value = (key: string) => served.get(`zeromesh_${key}`);
  assert.equal(value('handler_messages_total{handler="echo",outcome="succeeded"}'), 5);
  assert.equal(value('handler_messages_total{handler="fail",outcome="failed"}'), 1);
  assert.equal(
    value('handler_started_total{handler="slow"}'),
    server.stats().handlers.byHandler["slow"]!.started,
  );
  assert.equal(value('handler_duration_seconds_count{handler="echo",outcome="ok"}'), 5);
  assert.equal(value('handler_duration_seconds_bucket{handler="echo",outcome="ok",le="+Inf"}'), 5);
  const slow = value('handler_duration_seconds_sum{handler="slow",outcome="ok"}')!;
  const times = value('handler_duration_seconds_count{handler="slow",outcome="ok"}')!;
  assert.ok(times >= 2 && slow >= 0.035 * times, `${times} took ${slow} s`);
  assert.equal(value('handler_duration_seconds_bucket{handler="slow",outcome="ok",le="0.032768"}'), 0);
  assert.equal(value("dispatch_failed_total"), server.stats().handlers.failed);
  assert.equal(value(`peer_up{peer="${client.instanceId}"}`), 1);
  assert.equal(value("transport_received_messages_total"), server.stats().transport.receivedMessages);

  const called = parse(await of.text());
  const label = 'role="client"';
  const failed = (code: string) => called.get(`zeromesh_calls_failed_total{${label},code="${code}"}`);
  assert.deepEqual(
    ["HANDLER_FAILED", "HANDLER_NOT_FOUND", "TIMEOUT", "aborted"].map(failed),
    [1, 1, 1, 1],
  );
  const count = `zeromesh_calls_duration_seconds_count{${label},handler="echo",outcome="ok"}`;
  assert.equal(called.get(count), 5);
  assert.equal(called.get(`zeromesh_calls_pending{${label}}`), 0);
});

test("of many messages in one turn every one is counted, though not every one is timed", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const { client, server, peer } = await pair(t, { client: { meter }, server: { meter } });
  echoes(server);
  const spin = (): void => {
    for (const end = performance.now() + 0.2; performance.now() < end;);
  };
  server.registerHandler(unaryHandler("spin", spin));
  let calls = 0;
  server.registerHandler(
    unaryHandler("mixed", () => ++calls % 4 === 0 ? pause(30).then(() => undefined) : undefined),
  );
  for (let i = 0; i < 4; i++) await client.unary("mixed", { to: peer });
  for (let round = 0; round < 3; round++) {
    await Promise.all(Array.from({ length: 40 }, () => client.unary("mixed", { to: peer })));
  }
  let failed = 0;
  server.registerHandler(unaryHandler("some", () => {
    if (++failed % 3 === 0) throw new Error("boom");
  }));
  await Promise.all(Array.from({ length: 200 }, () => client.unary("spin", { to: peer })));
  await Promise.allSettled(Array.from({ length: 99 }, () => client.unary("some", { to: peer })));
  const values = parse(await meter.text());
  const duration = (key: string) => values.get(`zeromesh_handler_duration_seconds_${key}`);
  assert.equal(duration('count{handler="spin",outcome="ok"}'), 200);
  const sum = duration('sum{handler="spin",outcome="ok"}')!;
  assert.ok(sum >= 0.04 && sum < 1, `200 times 0.2 ms are ${sum} s`);
  assert.equal(duration('count{handler="mixed",outcome="ok"}'), 124);
  const slow = 124 - duration('bucket{handler="mixed",outcome="ok",le="0.016384"}')!;
  assert.equal(slow, 31, "each that returned a promise is timed by itself");
  const outcomes = ["ok", "error"].map((outcome) => duration(`count{handler="some",outcome="${outcome}"}`));
  assert.deepEqual(outcomes, [66, 33]);
  assert.equal(values.get('zeromesh_calls_duration_seconds_count{handler="some",outcome="error"}'), 33);
});

test("a metric of what waits shows it while it waits", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const { client, server, peer } = await pair(t, { server: { meter } });
  const held = gate(t);
  server.registerHandler(
    unaryHandler("held", async () => await held.opened as undefined, { concurrency: 1 }),
  );
  const calls = [1, 2, 3].map(() => client.unary("held", { to: peer }));
  await until(() => server.stats().handlers.queued === 2);
  const values = parse(await meter.text());
  assert.equal(values.get('zeromesh_handler_queued{handler="held"}'), 2);
  assert.equal(values.get('zeromesh_handler_in_flight{handler="held"}'), 1);
  held.open();
  await Promise.all(calls);
  assert.equal(parse(await meter.text()).get('zeromesh_handler_queued{handler="held"}'), 0);
});

test("messengers that share a meter are summed, and what a closed one counted is kept", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const count = async () =>
    parse(await meter.text()).get('zeromesh_handler_messages_total{handler="echo",outcome="succeeded"}');
  for (let round = 1; round <= 3; round++) {
    const { client, server, peer } = await pair(t, { server: { meter }, client: { meter } });
    echoes(server);
    const handled = server.registerHandler(unaryHandler("again", ({ payload }) => payload));
    for (let i = 0; i < 4; i++) await client.unary("echo", { to: peer });
    await client.unary("again", { to: peer });
    await meter.text();
    handled[Symbol.dispose]();
    assert.equal(parse(await meter.text()).get("zeromesh_peers_known"), 2);
    await client.close();
    await server.close();
    assert.equal(await count(), 4 * round);
  }
  const values = parse(await meter.text());
  assert.equal(values.get('zeromesh_handler_messages_total{handler="again",outcome="succeeded"}'), 3);
  assert.equal(values.get("zeromesh_peers_known"), undefined, "nobody is left to know peers");
});

test("an executor, a cohort and actors hand their counters to a meter until they end", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const value = async (name: string) => parse(await meter.text()).get(`zeromesh_${name}`);
  const executor = new ActiveMessageExecutor({ meter });
  const [leader, worker] = [await t.messenger(), await t.messenger()];
  const cohort = LeaderWorkerCohort.create(leader, { meter, size: 1 });
  await joinCohort(worker, { leader: leader.endpoint });
  assert.equal(await value("cohort_workers"), 1);
  assert.equal(await value("executor_queued"), 0);
  const system = ActorSystem.local({ meter });
  const box = await system.mailbox();
  void system.ref("nobody").tell("note", new Uint8Array());
  assert.equal(await value("actors_alive"), 1);
  assert.equal(await value('actors_dead_letters_total{reason="notFound"}'), 1);
  await box.close();
  await system.close();
  assert.equal(await value("actors_alive"), undefined);
  await cohort.close();
  await executor.stop();
  assert.equal(await value("cohort_workers"), undefined);
  assert.equal(await value("executor_accepted_total"), 0);
});

test("the values of a label are limited: later ones are counted together, and how often is counted", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const limit = { meter, maxMetricLabels: 2 };
  const { client, server, peer } = await pair(t, { server: limit, client: limit });
  for (let i = 0; i < 5; i++) server.registerHandler(unaryHandler(`h${i}`, () => {}));
  for (let i = 0; i < 5; i++) await client.unary(`h${i}`, { to: peer });
  const text = await meter.text();
  const values = parse(text);
  const handled = (handler: string) =>
    values.get(`zeromesh_handler_messages_total{handler="${handler}",outcome="succeeded"}`);
  assert.deepEqual([handled("h0"), handled("h1"), handled("other")], [1, 1, 3]);
  assert.doesNotMatch(text, /"h2"/);
  for (const name of ["calls", "handler"]) {
    assert.equal(values.get(`zeromesh_${name}_duration_seconds_count{handler="other",outcome="ok"}`), 3);
  }
  assert.equal(values.get('zeromesh_metrics_label_values{label="called_handler"}'), 2);
  assert.equal(values.get('zeromesh_metrics_folded_total{label="called_handler"}'), 3);
  for (const maxMetricLabels of [0, 1.5]) {
    await assert.rejects(client.unary("h0", { to: "x" as typeof peer }));
    await assert.rejects(async () => await t.messenger({ maxMetricLabels }), /maxMetricLabels/);
  }
});

test("peers beyond the values of a label share a row, and one that is forgotten makes room for another", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const hub = await t.messenger({ meter, maxMetricLabels: 2 });
  const peers: InstanceId[] = [];
  const meet = async () => {
    const peer = await t.messenger();
    peers.push(await hub.connect(peer.endpoint));
  };
  const rows = async () => {
    const values = parse(await meter.text());
    for (const name of ["queued", "queued_bytes"]) {
      const found = [...values.keys()].filter((key) => key.startsWith(`zeromesh_peer_${name}{`));
      assert.equal(found.length, 3);
    }
    const ups = [...values].filter(([key]) => key.startsWith("zeromesh_peer_up{"));
    return Object.fromEntries(ups.map(([key, up]) => [/peer="(.*?)"/.exec(key)![1], up]));
  };
  for (let i = 0; i < 4; i++) await meet();
  const [a, b, c, d] = peers as [InstanceId, InstanceId, InstanceId, InstanceId];
  assert.deepEqual(await rows(), { [a]: 1, [b]: 1, other: 2 });
  for (const gone of [a, c]) hub.disconnect(gone);
  await meet();
  const left = await rows();
  assert.deepEqual(left, { [b]: 1, [d]: 1, other: 1 });
});

test("names of handlers and peers' codes cannot break the text format or make series", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  const { client, server, peer } = await pair(t, { client: { meter }, server: { meter } });
  server.registerHandler(unaryHandler('odd "name"\n\\', () => {
    throw Object.assign(new Error("x"), { code: "MADE_UP" });
  }));
  await fails(client.unary('odd "name"\n\\', { to: peer }), { code: "HANDLER_FAILED" });
  const text = await meter.text();
  assert.match(text, /handler="odd \\"name\\"\\n\\\\"/);
  assert.doesNotMatch(text, /MADE_UP/);
  parse(text);
});

test("a registry of prom-client can hold other metrics beside these", async () => {
  await using t = await leakCheck();
  const registry = new Registry();
  const meter = prometheusMeter({ registry });
  await t.messenger({ meter });
  assert.match(await registry.metrics(), /^# TYPE zeromesh_calls_started_total counter$/m);
  assert.equal(meter.registry, registry);
  assert.equal((await registry.getMetricsAsJSON()).some(({ name }) => name === "zeromesh_peers_known"), true);
  registry.resetMetrics();
});

test("serve() answers GET with the text, and nothing else", async () => {
  await using t = await leakCheck();
  const meter = prometheusMeter();
  await t.messenger({ meter });
  const server = t.use(await meter.serve({ port: 0 }));
  assert.match(server.url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
  const got = await fetch(server.url, { headers: { connection: "close" } });
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  assert.ok(parse(await got.text()).has("zeromesh_peers_known"));
  const status = async (path: string, method = "GET") => {
    const answer = await fetch(new URL(path, server.url), { method, headers: { connection: "close" } });
    await answer.text();
    return answer.status;
  };
  assert.deepEqual(
    [
      await status("/metrics?x=1"),
      await status("/"),
      await status("/metrics", "POST"),
      await status("/metrics", "HEAD"),
    ],
    [200, 404, 405, 200],
  );
  await using taken = await occupiedPort();
  await fails(meter.serve({ port: taken.port }), { code: "ADDRESS_IN_USE" });
  await assert.rejects(meter.serve({ port: 0, path: "metrics" }), TypeError);
  await server.close();
  await assert.rejects(fetch(server.url));
});

test("OpenTelemetry's SDK collects the same names with the same values", async () => {
  await using t = await leakCheck();
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  t.defer(() => meterProvider.shutdown());
  const text = prometheusMeter();
  const { client, server, peer } = await pair(t, {
    server: { meter: otelMeter({ meterProvider }) },
    client: { meter: text },
  });
  echoes(server);
  server.registerHandler(amHandler("note", () => {}));
  for (let i = 0; i < 3; i++) await client.unary("echo", { to: peer });
  await client.amSync("note", { to: peer });
  await meterProvider.forceFlush();
  const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics).flatMap((scope) => {
    assert.equal(scope.scope.name, "zeromesh");
    return scope.metrics;
  });
  const points = (name: string) =>
    metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints.map(({ attributes, value }) => ({
      ...attributes,
      value: typeof value === "object" ? (value as { count: number }).count : value,
    }));
  const messages = points("zeromesh_handler_messages_total");
  assert.deepEqual(messages?.find((one) => "handler" in one && one.handler === "echo"), {
    handler: "echo",
    outcome: "succeeded",
    value: 3,
  });
  const durations = points("zeromesh_handler_duration_seconds")!;
  assert.deepEqual(durations, [
    { handler: "echo", outcome: "ok", value: 3 },
    { handler: "note", outcome: "ok", value: 1 },
  ]);
  assert.equal(metrics.find(({ descriptor }) => descriptor.name.endsWith("_seconds"))?.descriptor.unit, "s");
});

test("actors count their channels, and what they send to and get from other instances", async () => {
  await using t = await leakCheck();
  const [of, at] = [prometheusMeter(), prometheusMeter()];
  const [one, two] = [await t.messenger(), await t.messenger()];
  const asking = t.use(await ActorSystem.create(one, { meter: of }));
  const asked = t.use(await ActorSystem.create(two, { meter: at }));
  await one.connect(two.endpoint);
  const box = t.use(await asked.mailbox());
  const ref = asking.ref(box.ref.address);
  await ref.tell("note", bytes("a"));
  const opening = fails(ref.open("feed", bytes("b")), { code: "ACTOR_CHANNEL_REJECTED" });
  for await (const message of box) {
    if (message.kind !== "open") continue;
    assert.equal(parse(await at.text()).get("zeromesh_actors_channels_opening"), 1);
    message.reject("busy");
    break;
  }
  await opening;
  const values = parse(await at.text());
  const value = (name: string) => values.get(`zeromesh_actors_${name}`);
  assert.deepEqual(
    [value("channels_opening"), value("channels_rejected_total"), value("remote_received_total")],
    [0, 1, 2],
  );
  assert.equal(value("remote_sent_total"), 0);
  assert.equal(parse(await of.text()).get("zeromesh_actors_remote_sent_total"), 2);
});

test("docs/metrics.md lists every metric with its type and labels, and no other", async () => {
  await using t = await leakCheck();
  const found: string[] = [];
  const note = (type: string) => (metric: { name: string; labels: readonly string[] }) => {
    const line = `${metric.name} ${type} ${metric.labels.join(", ") || "–"}`;
    if (!found.includes(line)) found.push(line);
    return { [Symbol.dispose]() {}, series: () => ({ record() {} }) };
  };
  const meter = { counter: note("counter"), gauge: note("gauge"), histogram: note("histogram") };
  const messenger = await t.messenger({ meter });
  t.use(new ActiveMessageExecutor({ meter }));
  t.use(LeaderWorkerCohort.create(messenger, { meter }));
  t.use(ActorSystem.local({ meter }));
  const page = readFileSync(`${repositoryRoot}/docs/metrics.md`, "utf8");
  const rows = [...page.matchAll(/^\| `(zeromesh_\w+)` +\| (\w+) +\| (.*?) +\| (.*?) +\|$/gm)];
  const listed = rows.map(([, name, type, labels]) => `${name} ${type} ${labels!.replaceAll("`", "")}`);
  assert.deepEqual(listed.sort(), found.sort());
  for (const [, name = "", , , says = ""] of rows) {
    assert.ok(says.length > 10, name);
    assert.match(name, /^zeromesh_[a-z]+(_[a-z]+)*$/);
  }
});
