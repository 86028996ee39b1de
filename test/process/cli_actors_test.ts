/** `zeromesh actors`, against a system of this process. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { z } from "zod";
import { actor, actorContract, type ActorSystem, serveManagement } from "../../src/actors/mod.ts";
import { actorNode, Counter } from "../conformance/actors_kit.ts";
import { type CliRun, runCli, startCli } from "../support/cli.ts";
import { temporaryFolder } from "../support/discovery_peers.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import { repositoryRoot, takesTurn } from "../support/runtime.ts";
import { until, within } from "../support/until.ts";

const counter = (version: number, factor: number) =>
  actor(Counter, {
    version,
    init: (args: { from: number } | undefined) => ({ count: args?.from ?? 0 }),
    tell: { reset: (ctx, { to }) => void (ctx.state.count = to) },
    ask: { add: (ctx, { n }) => (ctx.state.count += n * factor) },
  });

const echo = actor({ init: () => null, ask: { echo: (_ctx, bytes) => bytes } });

const Job = actorContract("job", { tell: { end: z.unknown() } });
const job = actor(Job, {
  init: () => null,
  tell: { end: (ctx, result) => ctx.stop(result) },
});

const parent = actor({
  init: async (_args: unknown, ctx) => void (await ctx.spawn(echo, { name: "child" })),
});

/** A system with management, and the command line for it. */
async function commanded(t: LeakCheck) {
  const { messenger, system } = await actorNode(t);
  const catalogue = { counter: counter(1, 1), counter2: counter(2, 10), echo, job, parent };
  t.use(serveManagement(system, { catalogue }));
  const connect = `--connect=${messenger.endpoint}`;
  const run = (...args: string[]): Promise<CliRun> => runCli("actors", ...args, connect);
  const prints = async (output: string, ...args: string[]) => {
    const { code, output: printed, errors } = await run(...args);
    assert.deepEqual({ code, printed }, { code: 0, printed: output }, errors);
  };
  return { system, connect, run, prints };
}

async function json(run: Promise<CliRun>): Promise<never> {
  const { output, errors } = await run;
  assert.equal(errors, "");
  return JSON.parse(output) as never;
}

test("zeromesh actors shows actors as a list, as a tree, and one of them", async () => {
  await using t = await leakCheck();
  const { system, run } = await commanded(t);
  const { target: id } = await system.spawn(counter(1, 1), { name: "one", args: { from: 5 } });
  await system.spawn(parent, { name: "above", args: null });
  const [list, tree, counters, listed, inspected, metrics] = await Promise.all([
    run("list"),
    run("tree"),
    run("metrics"),
    json(run("list", "--json")) as Promise<{ name: string }[]>,
    json(run("inspect", "one", "--json")) as Promise<Record<string, Record<string, unknown>>>,
    json(run("metrics", id, "--json")) as Promise<{ handled: number }>,
  ]);
  assert.match(list.output, /^NAME +ID +CONTRACT +VERSION +STATE +MAILBOX$/m);
  assert.match(list.output, new RegExp(`^one +${id} +counter +1 +running +0$`, "m"));
  assert.match(tree.output, /^above +running +0 +0 +1\n└─ child +running +0 +0 +0$/m);
  assert.deepEqual(listed.map(({ name }) => name).sort(), ["above", "child", "one"]);
  assert.deepEqual(inspected["state"], { count: 5 });
  assert.equal(inspected["status"]?.["id"], id);
  assert.equal(inspected["description"]?.["contract"], "counter");
  assert.match(counters.output, /^COUNTER +VALUE\nactors +3\n/);
  assert.equal(metrics.handled, 0);
});

test("zeromesh actors starts, messages, updates, pauses and ends an actor by name and id", async () => {
  await using t = await leakCheck();
  const { system, prints, run } = await commanded(t);
  const started = await run("start", "counter", "--name", "one", "--args", '{"from": 5}');
  const id = system.lookup("one")?.id ?? "";
  assert.equal(started.output, `${id}\n`, started.errors);
  await prints("7\n", "ask", "one", "add", '{"n": 2}');
  await prints("", "tell", id, "reset", '{"to": 1}');
  await prints("updated from version 1 to 2\n", "update", "one", "counter2");
  await prints('{"answer":21}\n', "ask", "one", "add", '{"n": 2}', "--json");
  await prints(
    "rolled back from version 2 to 1; the state is as it was at the update\n",
    "rollback",
    "one",
  );
  await prints("", "pause", "one");
  assert.equal(system.lookup("one")?.phase, "paused");
  await prints("", "resume", "one");
  await prints("", "restart", "one");
  await prints('{\n  "count": 5\n}\n', "state", "one");
  await prints("stopped\n", "stop", "one");
  const gone = await run("terminate", id);
  assert.equal(gone.code, 1);
  assert.match(gone.errors, /ACTOR_NOT_FOUND/);
});

test("zeromesh actors ask gives an actor without a contract the text, and reads files and standard input", async () => {
  await using t = await leakCheck();
  const { system, connect, prints } = await commanded(t);
  await system.spawn(echo, { name: "echo" });
  const file = `${temporaryFolder(t, "cli")}/message`;
  writeFileSync(file, "from a file");
  await prints("hello you\n", "ask", "echo", "echo", "hello you");
  await prints("from a file\n", "ask", "echo", "echo", "--file", file);
  await using piped = startCli(["actors", "ask", "echo", "echo", "-", "--raw", connect]);
  piped.write("piped");
  piped.endInput();
  assert.equal((await piped.exit).code, 0, piped.errorText);
  assert.equal(piped.outputText, "piped\n");
});

test("zeromesh actors start --parent prints the events to the end and exits with the actor's result", async () => {
  await using t = await leakCheck();
  const { system, connect } = await commanded(t);
  const ended = async (end: (system: ActorSystem) => unknown) => {
    await using child = startCli(["actors", "start", "job", "--name", "job", "--parent", connect]);
    await child.waitForLine(/ job 1 started /);
    await end(system);
    const { code } = await child.exit;
    return { code, last: child.outputText.trimEnd().split("\n").at(-1)?.split(" ").slice(1).join(" ") };
  };
  const finish = (result: unknown) => (of: ActorSystem) => of.ref(Job, "job").tell("end", result);
  assert.deepEqual(await ended(finish(7)), { code: 7, last: "job 2 ended finished 7" });
  assert.deepEqual(await ended(finish("good")), { code: 0, last: 'job 2 ended finished "good"' });
  assert.deepEqual(await ended((of) => of.terminate("job")), { code: 1, last: "job 2 ended terminated" });
});

test("zeromesh actors names what is wrong with its arguments, and exits with 2", async () => {
  await using t = await leakCheck();
  const { system, run } = await commanded(t);
  await system.spawn(counter(1, 1), { name: "one", args: undefined });
  const wrong: readonly (readonly [RegExp, () => Promise<CliRun>])[] = [
    [/ACTOR must be an actor's name or id, got "a b"/, () => run("stop", "a b")],
    [/ACTOR is missing/, () => run("ask")],
    [/MESSAGE is missing/, () => run("tell", "one", "reset")],
    [/MESSAGE is not JSON/, () => run("tell", "one", "reset", "{")],
    [/there is no command "actors fly"/, () => run("fly")],
    [/--connect PEER is missing/, () => runCli("actors", "list")],
  ];
  for (const [index, [pattern, start]] of wrong.entries()) {
    if (!takesTurn(index)) continue;
    const { code, output, errors } = await start();
    assert.deepEqual({ code, output }, { code: 2, output: "" });
    assert.match(errors, pattern);
  }
  const help = await runCli("actors", "tree", "--help");
  assert.match(help.output, /^Usage: zeromesh actors tree /);
});

test("zeromesh actors events prints the events of one actor until its end", async () => {
  await using t = await leakCheck();
  const { system, connect } = await commanded(t);
  await system.spawn(counter(1, 1), { name: "one", args: undefined });
  await system.spawn(echo, { name: "two" });
  await using child = startCli(["actors", "events", "one", "--json", connect]);
  // The command subscribes at a time of its own, so the test repeats what it waits for.
  const paused = child.waitForLine('"resumed"');
  while (await Promise.race([paused.then(() => false), new Promise((go) => setTimeout(go, 20, true))])) {
    system.pause("one");
    system.resume("one");
    system.pause("two");
    system.resume("two");
  }
  await system.stop("one");
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errorText);
  const events = child.outputText.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual([...new Set(events.map(({ name }) => name))], ["one"]);
  assert.deepEqual(events.map(({ seq }) => seq - events[0].seq), [...events.keys()]);
  assert.deepEqual(events.at(-1).end, { reason: "stopped" });
});

const Talk = actorContract("talk", {
  tell: { push: z.string() },
  channel: { talk: { fromOpener: z.unknown(), toOpener: z.unknown() } },
});
const talker = () => {
  const ends: string[] = [];
  const definition = actor(Talk, {
    init: () => ({ channels: [] as { send(item: unknown): unknown }[] }),
    tell: { push: (ctx, text) => void ctx.state.channels.forEach((channel) => channel.send(text)) },
    channel: {
      talk: {
        open: (ctx, channel, first) => void ctx.state.channels.push(channel.accept(`hello ${first}`)),
        message: (_ctx, channel, item) => channel.send({ got: item }),
        close: (_ctx, _channel, { reason }) => void ends.push(reason),
      },
    },
  });
  return { definition, ends };
};

test("zeromesh actors channel prints pushes and answers as they arrive, and Ctrl-C closes the channel", async () => {
  await using t = await leakCheck();
  const { system, connect } = await commanded(t);
  const { definition, ends } = talker();
  const room = await system.spawn(definition, { name: "room" });
  await using child = startCli(["actors", "channel", "room", "talk", "Ada", connect]);
  await child.waitForLine('"hello Ada"');
  await room.tell("push", "first");
  await child.waitForLine('"first"');
  child.write('{"n": 1}\nplain text\n');
  await child.waitForLine('{"got":"plain text"}');
  await room.tell("push", "second");
  await child.waitForLine('"second"');
  process.kill(child.pid, "SIGINT");
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errorText);
  assert.equal(child.outputText, '"hello Ada"\n"first"\n{"got":{"n":1}}\n{"got":"plain text"}\n"second"\n');
  await until(() => ends.length === 1);
  assert.deepEqual(ends, ["interrupted"]);
});

test("zeromesh actors channel sends the lines of a pipe, prints what answers them, and ends", async () => {
  await using t = await leakCheck();
  const { system, connect } = await commanded(t);
  await system.spawn(talker().definition, { name: "room" });
  await using child = startCli([
    "actors",
    "channel",
    "room",
    "talk",
    "x",
    "--json",
    "--linger",
    "300",
    connect,
  ]);
  child.write("1\n2");
  child.endInput();
  assert.deepEqual(await child.exit, { code: 0, signal: null }, child.errorText);
  const [opened, ...lines] = child.outputText.trimEnd().split("\n").map((line) => JSON.parse(line));
  assert.equal(opened.first, "hello x");
  assert.deepEqual(lines, [
    { item: { got: 1 } },
    { item: { got: 2 } },
    { closed: { closedBy: "opener", reason: "finished" } },
  ]);
});

/** A package whose files are written by their names, and an actor `counter` of it that is run with `--watch`. */
function watchedPackage(t: LeakCheck) {
  const root = temporaryFolder(t, "run");
  const write = (file: string, text: string): void => {
    mkdirSync(dirname(`${root}/${file}`), { recursive: true });
    writeFileSync(`${root}/${file}`, text);
  };
  write("package.json", "{}");
  /** Writes the actor: it answers with what the expression gives. */
  const writeActor = (answer: string, imports = "", version = 1): void =>
    write(
      "actors/counter.ts",
      `import { actor } from ${JSON.stringify(`${repositoryRoot}/src/actors/mod.ts`)};
      ${imports}
      export default actor({ version: ${version}, init: () => ({ count: 0 }), ask: { count: (ctx) =>
        new TextEncoder().encode(${answer}) } });`,
    );
  const run = async () => {
    const child = t.use(startCli(["actors", "run", `${root}/actors/counter.ts`, "--watch"]));
    const endpoint = (await child.waitForLine("listening on ")).slice("listening on ".length);
    const ask = async (): Promise<string> =>
      (await runCli("actors", "ask", "counter", "count", "--empty", "--connect", endpoint)).output;
    const updated = (times: number) =>
      until(() => child.outputText.match(/ counter \d+ updated /g)?.length === times);
    return { child, ask, updated };
  };
  return { write, writeActor, run };
}

test("zeromesh actors run --watch updates the actor on save; a bad save leaves the old code", async () => {
  await using t = await leakCheck();
  const { write, writeActor, run } = watchedPackage(t);
  writeActor("`one ${++ctx.state.count}`");
  const { child, ask, updated } = await run();
  assert.equal(await ask(), "one 1\n");
  write("actors/counter.ts", "export default (");
  await until(() => child.errorText.includes("the update failed, the old code goes on"));
  assert.equal(await ask(), "one 2\n");
  writeActor("`two ${++ctx.state.count}`", "", 2);
  await updated(1);
  assert.equal(await ask(), "two 3\n");
  process.kill(child.pid, "SIGINT");
  assert.deepEqual(await within(child.exit, 10_000), { code: 0, signal: null }, child.errorText);
});

test("zeromesh actors run --watch loads what is saved in other folders that the module reaches, also new ones", async () => {
  await using t = await leakCheck();
  const { write, writeActor, run } = watchedPackage(t);
  writeActor("word", 'import { word } from "../shared/word.ts";');
  write("shared/word.ts", 'export { word } from "../deep/er/word.ts";');
  write("deep/er/word.ts", 'export const word = "first";');
  const { child, ask, updated } = await run();
  write("deep/er/word.ts", 'export const word = "second";');
  await updated(1);
  write("shared/word.ts", 'export { word } from "../later/word.ts";');
  await until(() => /the update failed.*later/.test(child.errorText));
  assert.equal(await ask(), "second\n");
  write("later/word.ts", 'export const word = "third";');
  await updated(2);
  write("later/word.ts", 'export const word = "fourth";');
  await updated(3);
  assert.equal(await ask(), "fourth\n");
});

test("zeromesh actors run --watch says what it does not watch of a module that reaches too many folders", async () => {
  await using t = await leakCheck();
  const { write, writeActor, run } = watchedPackage(t);
  const folders = [...Array(66).keys()];
  writeActor('"one"', folders.map((i) => `import "../folder${i}/side.ts";`).join("\n"));
  for (const i of folders) write(`folder${i}/side.ts`, "export {};");
  const { child, updated } = await run();
  await until(() => child.errorText !== "");
  assert.match(child.errorText, /does not see what is saved in 3 of the folders .* such as \S+\/folder2 /);
  assert.match(child.errorText, /\(the limit is 64 folders\); save that file to load them/);
  write("folder65/side.ts", "export const seen = true;");
  await updated(1);
});
