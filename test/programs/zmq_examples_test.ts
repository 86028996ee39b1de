/** The examples of ZeroMQ sockets: each runs on this runtime, and those of two programs with a partner on the other one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { allRuntimes, type RuntimeName } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

const [here, there] = allRuntimes as [RuntimeName, RuntimeName];

function start(name: string, args: readonly string[] = [], runtime: RuntimeName = here): SpawnedProcess {
  return spawnScript(`examples/zmq/${name}.ts`, args, { runtime });
}

/** What a program prints until it ends well. */
async function printedBy(program: SpawnedProcess): Promise<string[]> {
  const { code } = await within(program.exit, 20_000, "the example to end");
  assert.deepEqual([code, program.errorText], [0, ""]);
  return program.outputText.trimEnd().split("\n");
}

/** The addresses that a program says others need. */
async function addressesOf(program: SpawnedProcess): Promise<string[]> {
  const line = await program.waitForLine(" with: ");
  return line.slice(line.indexOf(": ") + 2).split(" ");
}

test("request_reply: a client gets its answers", async () => {
  await using server = start("request_reply", ["serve"], there);
  await using client = start("request_reply", ["ask", ...await addressesOf(server)]);
  assert.deepEqual(await printedBy(client), ["twice 1 is 2", "twice 2 is 4", "twice 3 is 6"]);
});

test("publish_subscribe: a subscriber gets its topic and no other", async () => {
  await using publisher = start("publish_subscribe", ["publish"], there);
  await using subscriber = start("publish_subscribe", [
    "subscribe",
    ...await addressesOf(publisher),
    "weather",
  ]);
  const lines = await printedBy(subscriber);
  const numbers = lines.map((line) => Number(/^weather: report (\d+)$/.exec(line)?.[1]));
  assert.deepEqual(numbers, [numbers[0], numbers[0]! + 1, numbers[0]! + 2]);
});

test("pipeline: two workers share the tasks, and the sink gets every result", async () => {
  await using sink = start("pipeline", ["sink"]);
  const addresses = await addressesOf(sink);
  await using first = start("pipeline", ["work", ...addresses], there);
  await using second = start("pipeline", ["work", ...addresses]);
  assert.equal((await printedBy(sink)).at(-1), "the sum of 100 squares is 338350");
  assert.deepEqual([first.errorText, second.errorText], ["", ""]);
});

test("broker: every client is answered, and both workers work", async () => {
  await using broker = start("broker");
  assert.deepEqual(await printedBy(broker), [
    "Ann answered true",
    "Bob answered true",
    "6 answers, the last one to question 6",
  ]);
});

test("proxy: a subscriber hears publishers that it does not know", async () => {
  await using proxy = start("proxy");
  assert.deepEqual(await printedBy(proxy), [
    "north and south said hello",
    "the proxy's sockets are closed: true",
  ]);
});

test("curve: a key on the list is admitted, and another one is refused", async () => {
  await using curve = start("curve");
  assert.deepEqual(await printedBy(curve), [
    "the friend hears: you said hello",
    "the stranger hears: Authentication failure (400)",
  ]);
});

test("socket_events: both ends tell of their connection", async () => {
  await using events = start("socket_events");
  const lines = await printedBy(events);
  assert.deepEqual(lines.filter((line) => line.startsWith("router")), [
    "router: accept",
    "router: handshake",
    "router: disconnect",
  ]);
  assert.deepEqual(lines.filter((line) => line.startsWith("dealer")), [
    "dealer: connected to tcp://127.0.0.1:PORT",
  ]);
});

test("lazy_pirate: a client asks again until it is answered, and gives up at last", async () => {
  await using server = start("lazy_pirate", ["serve"], there);
  await using client = start("lazy_pirate", ["ask", ...await addressesOf(server)]);
  assert.deepEqual(await printedBy(client), [
    "answer to one after 3 attempts",
    "No answer from tcp://127.0.0.1:1 after 5 attempts",
  ]);
});
