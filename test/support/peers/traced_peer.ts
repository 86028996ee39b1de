/**
 * A link of a chain in `tracing_test.ts`: `traced_peer.ts [NEXT]`. Its handler `hop` calls `hop` of the next one, if
 * there is one, after a pause; a line `spans` makes it print its spans as JSON.
 */
import process from "node:process";
import { createInterface } from "node:readline";
import { Messenger, unaryHandler } from "../../../src/mod.ts";
import { otelTracing } from "../../../src/otel/mod.ts";
import { recordSpans } from "../spans.ts";
import { pause } from "../until.ts";

const [next] = process.argv.slice(2);
const spans = recordSpans();
const messenger = await Messenger.create({ tracing: otelTracing({ tracerProvider: spans.tracerProvider }) });
const to = next === undefined ? null : await messenger.connect(next);
messenger.registerHandler(unaryHandler("hop", async ({ payload }) => {
  await pause(2); // so that the context has to survive an await
  if (to === null) return payload;
  return await messenger.unary("hop", { to, rawPayload: payload });
}));
console.log(`listening on ${messenger.endpoint}`);
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "spans") console.log(`spans ${JSON.stringify(spans.finished())}`);
}
await messenger.close();
process.exit(0);
