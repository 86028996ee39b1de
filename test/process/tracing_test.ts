/** One trace through three processes on two runtimes, collected by OpenTelemetry's own SDK in each of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { context, trace } from "@opentelemetry/api";
import { otelTracing } from "../../src/otel/mod.ts";
import { bytes, text } from "../conformance/messenger_kit.ts";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { recordSpans, type SpanFacts } from "../support/spans.ts";
import { until } from "../support/until.ts";

const program = "test/support/peers/traced_peer.ts";

async function spansOf(peer: SpawnedProcess, count: number): Promise<SpanFacts[]> {
  return await until(async () => {
    const seen = peer.outputText.length;
    peer.write("spans\n");
    const line = await until(() => /^spans (.*)$/m.exec(peer.outputText.slice(seen))?.[1]);
    const spans = JSON.parse(line) as SpanFacts[];
    return spans.length >= count ? spans : undefined;
  });
}

test("a trace goes through three processes on two runtimes, and every span has the right parent", async () => {
  await using t = await leakCheck();
  const spans = recordSpans();
  const [here, other] = allRuntimes;
  const last = t.use(spawnScript(program, [], { runtime: here }));
  const endpointOf = async (peer: SpawnedProcess) =>
    (await peer.waitForLine("listening on ")).slice("listening on ".length);
  const middle = t.use(spawnScript(program, [await endpointOf(last)], { runtime: other }));
  const client = await t.messenger({ tracing: otelTracing({ tracerProvider: spans.tracerProvider }) });
  const to = await client.connect(await endpointOf(middle));

  const root = spans.tracerProvider.getTracer("test").startSpan("request");
  const answer = await context.with(
    trace.setSpan(context.active(), root),
    () => client.unary("hop", { to, rawPayload: bytes("through") }),
  );
  root.end();
  assert.equal(text(answer), "through");

  const [ofMiddle, ofLast] = [await spansOf(middle, 3), await spansOf(last, 2)];
  const own = spans.finished();
  const line = [
    own.find(({ name }) => name === "request"),
    own.find(({ name }) => name === "send hop"),
    ofMiddle.find(({ name }) => name === "receive hop"),
    ofMiddle.find(({ name }) => name === "handle hop"),
    ofMiddle.find(({ name }) => name === "send hop"),
    ofLast.find(({ name }) => name === "receive hop"),
    ofLast.find(({ name }) => name === "handle hop"),
  ];
  assert.equal(own.length + ofMiddle.length + ofLast.length, line.length);
  for (const [i, span] of line.entries()) {
    assert.equal(span?.trace, root.spanContext().traceId, `span ${i}`);
    assert.equal(span?.parent, i === 0 ? null : line[i - 1]?.id, `parent of span ${i}, ${span?.name}`);
  }
  for (const peer of [middle, last]) {
    peer.endInput();
    assert.deepEqual(await peer.exit, { code: 0, signal: null }, peer.errorText);
  }
});
