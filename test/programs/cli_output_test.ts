import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  amHandler,
  contract,
  type Messenger,
  readKeyPair,
  unaryHandler,
  ZeromeshError,
} from "../../src/mod.ts";
import { z } from "zod";
import { cliCommand, runCli, startCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { spawnCommand } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
  errors: { SOLD_OUT: z.object({ left: z.number(), note: z.string() }) },
});
const escape = "\x1b[2J";

async function service(t: LeakCheck): Promise<Messenger> {
  const messenger = await t.messenger();
  messenger.handle(add, ({ input }) => {
    if (input.a >= 0) return { sum: input.a + input.b };
    const details = { left: 3, note: escape };
    throw new ZeromeshError("SOLD_OUT", `${escape}none\nzeromesh call: forged`, { details });
  });
  messenger.registerHandler(unaryHandler("echo", ({ payload }) => payload.slice()));
  messenger.registerHandler(amHandler(`log${escape}`, () => {}));
  return messenger;
}

test("zeromesh --version prints the version, and help NAME is the command's own help", async () => {
  assert.match((await runCli("--version")).output, /^zeromesh \d+\.\d+\.\d+\n$/);
  assert.deepEqual(Object.keys(JSON.parse((await runCli("--version", "--json")).output)), ["version"]);
  assert.match((await runCli("help", "handlers")).output, /^Usage: zeromesh handlers PEER/);
});

test("zeromesh ping, libzmq and keys new print JSON with --json, and nothing else", async () => {
  await using t = await leakCheck();
  const { endpoint, instanceId } = await service(t);
  const folder = temporaryFolder(t, "json");
  const json = async (...args: string[]) => {
    const { code, output, errors } = await runCli(...args, "--json");
    assert.deepEqual([code, errors], [0, ""]);
    return JSON.parse(output) as Record<string, unknown>;
  };
  const [pinged, library, copied, keys] = await Promise.all([
    json("ping", endpoint, "--count", "2", "--interval", "1"),
    json("libzmq"),
    json("libzmq", "--copy", `${folder}/libzmq.so`),
    json("keys", "new", `${folder}/me.json`),
  ]);
  const { minMs, p50Ms, maxMs, answers, ...counts } = pinged as
    & {
      [figure in "minMs" | "p50Ms" | "maxMs"]: number;
    }
    & { answers: { turn: number; ms: number }[] };
  assert.deepEqual(counts, { peer: instanceId, sent: 2, answered: 2 });
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  assert.deepEqual([minMs, p50Ms, maxMs], [times[0], times[1], times[1]]);
  assert.deepEqual(answers.map(({ turn }) => turn), [1, 2]);
  assert.deepEqual(Object.keys(library), ["version", "path", "origin", "capabilities"]);
  assert.match(String(library["version"]), /^4\.\d+\.\d+$/);
  assert.ok((library["capabilities"] as string[]).includes("curve"));
  assert.equal(copied["copy"], `${folder}/libzmq.so`);
  assert.ok(readFileSync(`${folder}/libzmq.so`).equals(readFileSync(String(copied["path"]))));
  const { publicKey } = readKeyPair(`${folder}/me.json`);
  assert.deepEqual(keys, { file: `${folder}/me.json`, publicKey });
});

test("zeromesh peers shows the name of an instance beside its id", async () => {
  await using t = await leakCheck();
  const named = await t.messenger({ name: "gpu-7" });
  const nameless = await t.messenger();
  const peers = ["peers", "--connect", named.endpoint, "--connect", nameless.endpoint];
  const [table, json] = await Promise.all([runCli(...peers), runCli(...peers, "--json")]);
  assert.match(table.output, new RegExp(`^${named.instanceId} \\(gpu-7\\) `, "m"), table.errors);
  assert.match(table.output, new RegExp(`^${nameless.instanceId}  `, "m"));
  const names = (JSON.parse(json.output) as { instance: string; name: string | null }[])
    .map(({ instance, name }) => [instance, name]);
  assert.deepEqual(
    new Map(names as [string, string | null][]),
    new Map([[named.instanceId, "gpu-7"], [nameless.instanceId, null]]),
  );
});

test("zeromesh handlers lists kinds and schemas, and the system's handlers only with --all", async () => {
  await using t = await leakCheck();
  const { endpoint } = await service(t);
  const table = await runCli("handlers", endpoint);
  assert.match(
    table.output,
    /^add +typed\n {2}input +\{"type":"object".*\n {2}output +\{.*"sum"/m,
    table.errors,
  );
  assert.match(table.output, /^echo +unary$/m);
  assert.match(table.output, /^log\\u001b\[2J +am$/m);
  const listed = JSON.parse((await runCli("handlers", endpoint, "--json")).output) as { name: string }[];
  assert.deepEqual(listed.map(({ name }) => name), ["add", "echo", `log${escape}`]);
  assert.match((await runCli("handlers", endpoint, "--all")).output, /^_hello /m);
});

test("zeromesh call that fails prints ran and details, without control characters, and as JSON", async () => {
  await using t = await leakCheck();
  const { endpoint, instanceId } = await service(t);
  const failed = await runCli("call", endpoint, "add", '{"a":-1,"b":0}');
  assert.equal(failed.code, 1);
  assert.equal(
    failed.errors,
    "zeromesh call: SOLD_OUT: \\u001b[2Jnone\n  zeromesh call: forged\n  ran: yes\n" +
      '  details: {"left":3,"note":"\\u001b[2J"}\n',
  );
  const json = await runCli("call", endpoint, "add", '{"a":-1,"b":0}', "--json");
  assert.equal(json.code, 1);
  const { error } = JSON.parse(json.output) as { error: Record<string, unknown> };
  const expected = { code: "SOLD_OUT", ran: "yes", peer: instanceId, handler: "add" };
  assert.deepEqual({ ...error, ...expected }, error);
  assert.deepEqual(error["details"], { left: 3, note: escape });
});

test("zeromesh call takes its payload from standard input, as it stands", async () => {
  await using t = await leakCheck();
  const { endpoint } = await service(t);
  const exact = "123456789012345678901234567890";
  await using child = startCli(["call", endpoint, "echo", "-"]);
  child.write(exact);
  child.endInput();
  assert.equal((await within(child.exit, 30_000)).code, 0, child.errorText);
  assert.equal(child.outputText, `${exact}\n`);
  await using raw = startCli(["call", endpoint, "echo", "-", "--raw"]);
  raw.write(`no JSON ${escape}\n`);
  raw.endInput();
  assert.equal((await within(raw.exit, 30_000)).code, 0, raw.errorText);
  assert.equal(raw.outputText, `no JSON ${escape}\n`);
  assert.equal((await runCli("call", endpoint, "echo", "-7", "--json")).output, '{"answer":-7}\n');
  assert.equal((await runCli("call", endpoint, "echo", "no JSON")).code, 2);
});

test("zeromesh exits with 1 when standard output takes no more", async () => {
  await using t = await leakCheck();
  const { endpoint } = await service(t);
  const into = ["sh", "-c", 'exec "$@" > /dev/full', "sh"];
  await using child = spawnCommand([...into, ...cliCommand(["ping", endpoint, "--count", "1"])]);
  assert.equal((await within(child.exit, 30_000)).code, 1, child.errorText);
  assert.match(child.errorText, /cannot write to standard output/);
});

test("zeromesh peers names an endpoint without an answer beside the instances that answer", async () => {
  await using t = await leakCheck();
  const { endpoint, instanceId } = await service(t);
  const dead = "tcp://127.0.0.1:1";
  const { code, output } = await runCli(
    ...["peers", "--connect", endpoint, "--connect", dead, "--timeout", "500", "--json"],
  );
  assert.equal(code, 1);
  const [living, silent] = JSON.parse(output) as Record<string, unknown>[];
  assert.deepEqual([living?.["instance"], living?.["error"]], [instanceId, null]);
  assert.deepEqual([silent?.["instance"], silent?.["endpoints"]], [null, [dead]]);
  assert.equal((silent?.["error"] as { code: string }).code, "PEER_UNREACHABLE");
});

test("zeromesh peers --watch writes its table over the last one on a terminal, until it is interrupted", async () => {
  await using t = await leakCheck();
  const { endpoint, instanceId } = await service(t);
  const watch = ["peers", "--watch", "--interval", "50", "--connect", endpoint];
  const quoted = cliCommand(watch).map((word) => `'${word}'`).join(" ");
  // `script` gives the command a terminal of its own.
  await using child = spawnCommand(["script", "-qec", quoted, "/dev/null"]);
  const tables = () => child.outputText.split(instanceId).length - 1;
  await until(() => tables() >= 3 || child.ended !== undefined, { timeoutMs: 20_000 });
  child.write("\x03");
  assert.equal((await within(child.exit, 10_000)).code, 130, child.outputText);
  assert.ok(tables() >= 3, child.outputText);
  // Two lines up before each table but the first.
  assert.ok(child.outputText.split("\x1b[2A").length >= tables() - 1, JSON.stringify(child.outputText));
});
