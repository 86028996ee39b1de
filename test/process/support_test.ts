import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { allRuntimes, currentRuntime } from "../support/runtime.ts";
import { spawnCommand, spawnScript } from "../support/spawn.ts";

function script(name: string, source: string): string {
  const path = `${tmpdir()}/${name}.ts`;
  writeFileSync(path, `import process from "node:process";\n${source}`);
  return path;
}

const greeter = `
  console.log("hello " + process.argv.slice(2).join("+"), process.env["GREETING"] ?? "none");
  console.error("to stderr");
  process.stdin.setEncoding("utf8").on("data", (text) => {
    console.log("got " + text.trim());
    if (text.includes("end")) process.exit(3);
  });`;

for (const runtime of allRuntimes) {
  test(`spawnScript() talks to a script on ${runtime} and sees its exit code`, async () => {
    await using t = await leakCheck();
    const env = { GREETING: "good day" };
    const child = t.use(spawnScript(script("greeter", greeter), ["a", "b"], { runtime, env }));
    assert.equal(await child.waitForLine(/^hello/), "hello a+b good day");
    child.write("one\n");
    assert.equal(await child.waitForLine("got one"), "got one");
    child.write("end\n");
    assert.deepEqual(await child.exit, { code: 3, signal: null });
    assert.match(child.errorText, /to stderr/);
    const lines: string[] = [];
    for await (const line of child.stdout) lines.push(line);
    assert.deepEqual(lines, ["hello a+b good day", "got one", "got end"]);
  });

  test(`spawnScript() kills a script on ${runtime} that does not end`, async () => {
    await using _t = await leakCheck();
    const child = spawnScript(script("stays", "setInterval(() => {}, 1000); console.log(process.pid);"), [], {
      runtime,
    });
    // The process is the script itself, so that signals reach it.
    assert.equal(await child.waitForLine(/^\d+$/), String(child.pid));
    await child[Symbol.asyncDispose]();
    assert.deepEqual(child.ended, { code: null, signal: "SIGKILL" });
  });
}

test("spawnScript() runs on this runtime unless told otherwise", async () => {
  await using t = await leakCheck();
  const child = t.use(spawnScript(script("self", `console.log(process.versions.bun ? "bun" : "deno");`)));
  assert.equal(await child.waitForLine(/./), currentRuntime);
  assert.equal((await child.exit).code, 0);
});

test("waitForLine() says what the process wrote when it ends first", async () => {
  await using t = await leakCheck();
  const child = t.use(spawnScript(script("short", `console.log("only this"); process.exit(7);`)));
  await assert.rejects(child.waitForLine("never", 5000), /ended with \{"code":7.*only this/s);
});

test("spawnCommand() reports a program that does not exist", async () => {
  await using t = await leakCheck();
  const child = t.use(spawnCommand(["/nowhere/at/all"]));
  assert.notEqual((await child.exit).code, 0);
});
