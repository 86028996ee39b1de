/** `zeromesh actors` against a server that wants keys, and on a terminal. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { ActorSystem, serveManagement } from "../../src/actors/mod.ts";
import { readKeyPair } from "../../src/mod.ts";
import { actorNode, counter } from "../conformance/actors_kit.ts";
import { cliCommand, runCli, startCli } from "../support/cli.ts";
import { noCurve } from "../support/curve.ts";
import { temporaryFolder } from "../support/discovery_peers.ts";
import { leakCheck } from "../support/fixture.ts";
import { spawnCommand } from "../support/spawn.ts";
import { until, within } from "../support/until.ts";

test("zeromesh actors does what the keys of --keys allow: all for administrators, lists for others", {
  skip: noCurve,
}, async () => {
  await using t = await leakCheck();
  const folder = temporaryFolder(t, "keys");
  await Promise.all(["own", "admin", "guest"].map((name) => runCli("keys", "new", `${folder}/${name}.json`)));
  const [own, admin] = [readKeyPair(`${folder}/own.json`), readKeyPair(`${folder}/admin.json`)];
  const messenger = await t.messenger({ endpoint: "tcp://127.0.0.1:0", curve: { ...own, allow: "any" } });
  const system = t.use(await ActorSystem.create(messenger));
  t.use(serveManagement(system, { catalogue: { counter }, administrators: [admin.publicKey] }));
  await system.spawn(counter, { name: "one" });
  const by = (name: string) => (...args: string[]) =>
    runCli(
      "actors",
      ...args,
      `--connect=${messenger.endpoint}`,
      `--server-key=${own.publicKey}`,
      `--keys=${folder}/${name}.json`,
    );
  const asAdmin = by("admin");
  const started = await asAdmin("start", "counter", "--name", "two");
  assert.equal(started.code, 0, started.errors);
  const asked = await asAdmin("ask", "two", "add", '{"n": 2}');
  assert.equal(asked.output, "2\n", asked.errors);

  const guest = by("guest");
  const listed = await guest("list", "--json");
  assert.deepEqual(
    (JSON.parse(listed.output) as { name: string }[]).map(({ name }) => name).sort(),
    ["one", "two"],
    listed.errors,
  );
  // The library's own tests try each command.
  const refused = [["tree"], ["start", "counter"], ["tell", "one", "reset", '{"to": 1}'], ["events"]];
  await Promise.all(refused.map(async (words) => {
    const { code, output, errors } = await guest(...words);
    assert.deepEqual({ code, output }, { code: 1, output: "" }, `${words}: ${errors}`);
    assert.match(errors, /FORBIDDEN/, words.join(" "));
  }));
  const keyless = await runCli("actors", "list", `--connect=${messenger.endpoint}`, "--timeout=2000");
  assert.equal(keyless.code, 1);
  assert.match(keyless.errors, /no keys were given: see --keys and --server-key/);
  assert.deepEqual(system.list().map(({ name, phase }) => [name, phase]).sort(), [["one", "running"], [
    "two",
    "running",
  ]]);
});

test("zeromesh actors events prints the events of all actors, and with --policy block loses none while it is stopped", async () => {
  await using t = await leakCheck();
  const { messenger, system } = await actorNode(t);
  t.use(serveManagement(system, { catalogue: { counter } }));
  const names = ["one", "two"];
  for (const name of names) await system.spawn(counter, { name });
  await using child = startCli([
    "actors",
    "events",
    "--policy=block",
    "--json",
    `--connect=${messenger.endpoint}`,
  ]);
  const toggle = (): void => {
    for (const name of names) {
      system.pause(name);
      system.resume(name);
    }
  };
  // The command subscribes at a time of its own, so the test repeats what it waits for.
  await until(() => {
    toggle();
    return child.outputText.includes('"resumed"');
  }, { intervalMs: 20 });
  child.signal("SIGSTOP");
  // More than the buffers and the window of the subscription hold.
  for (let i = 0; i < 1_500; i++) toggle();
  child.signal("SIGCONT");
  await system.spawn(counter, { name: "three" });
  await child.waitForLine('"three"');
  child.signal("SIGINT");
  await within(child.exit, 10_000, "the end of the command");
  const events = child.outputText.trimEnd().split("\n").map((line) => JSON.parse(line));
  for (const name of names) {
    const numbers = events.filter((event) => event.name === name).map(({ seq }) => seq as number);
    assert.ok(numbers.length >= 3_000, `${numbers.length} events of ${name}`);
    assert.deepEqual(numbers, numbers.map((_, i) => numbers[0]! + i));
  }
  assert.deepEqual(events.filter(({ type }) => type === "dropped"), []);
});

const noTerminal = spawnSync("script", ["--version"]).status === 0 ? false : "there is no script(1)";

/** Going up over the lines of the output before. */
const upwards = new RegExp(`${String.fromCharCode(27)}\\[\\d+A\\r`);

for (const verb of ["list", "tree"]) {
  test(
    `zeromesh actors ${verb} --watch draws over its last output on a terminal`,
    { skip: noTerminal },
    async () => {
      await using t = await leakCheck();
      const { messenger, system } = await actorNode(t);
      t.use(serveManagement(system, { catalogue: { counter } }));
      await system.spawn(counter, { name: "first" });
      const words = cliCommand([
        "actors",
        verb,
        "--watch",
        "--interval=50",
        `--connect=${messenger.endpoint}`,
      ]);
      const quoted = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
      await using child = spawnCommand(["script", "-qfec", quoted, "/dev/null"]);
      await child.waitForLine("first");
      await system.spawn(counter, { name: "second" });
      await child.waitForLine("second");
      await system.stop("first");
      await system.stop("second");
      await system.spawn(counter, { name: "third" });
      await child.waitForLine("third");
      const drawn = child.outputText.split(upwards);
      assert.ok(drawn.length >= 3, child.outputText);
      const last = drawn.findLast((text) => text.includes("third"))!;
      assert.ok(!last.includes("first") && !last.includes("second"), last);
      child.write("\x03");
      await within(child.exit, 10_000, "the end of the command");
    },
  );
}
