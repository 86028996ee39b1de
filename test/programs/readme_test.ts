import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { after, test } from "node:test";
import { freePort } from "../support/ports.ts";
import {
  allRuntimes,
  productPermissions,
  repositoryRoot,
  type RuntimeName,
  runtimeProgram,
  scriptCommand,
} from "../support/runtime.ts";
import { spawnCommand, type SpawnedProcess } from "../support/spawn.ts";
import { within } from "../support/until.ts";
import { blocksIn, textOf } from "./documents.ts";
import { found, mustRun, OwnProject, readme } from "./readme_project.ts";

const blocks = (language: string) => blocksIn(readme).filter((block) => block.language === language);
const [sample] = blocks("ts");
const permissions = found(/`deno run ((?:--allow-\S+ )+)sum\.ts`/).trim().split(" ");

// Made once for the file: it takes a while.
let ownProject: Promise<OwnProject> | undefined;
function project(): Promise<OwnProject> {
  return ownProject ??= OwnProject.create();
}
after(async () => {
  const made = await ownProject?.catch(() => undefined);
  if (made !== undefined) rmSync(made.folder, { recursive: true, force: true });
});

function start(runtime: RuntimeName, script: string, args: readonly string[] = []): SpawnedProcess {
  return spawnCommand(scriptCommand(runtime, script, { args, permissions }), { cwd: dirname(script) });
}

test("README: its first 45 lines are what it is, the commands, the sample and the table of patterns", () => {
  const first = readme.split("\n").slice(0, 45).join("\n");
  const expected = [
    "zeromesh is",
    "npm install && npm run quickstart",
    "npm test",
    "```ts",
    "| pattern",
    "`amSend`",
    "`amSync`",
    "`unary`",
    "`typedUnary`",
    "error.ran",
    "## Run it",
  ];
  let position = 0;
  for (const text of expected) {
    position = first.indexOf(text, position);
    assert.ok(position >= 0, `not there, or not in this place: ${text}`);
  }
});

test("README: the sample has at most 22 lines", () => {
  assert.ok((sample?.text.trimEnd().split("\n").length ?? 99) <= 22);
});

test("README: names the permissions that the tests use", () => {
  assert.deepEqual(permissions, productPermissions);
});

test("README: every command it names is there", () => {
  const { scripts } = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/\b(?:npm run|bun run|deno task) ([\w:./]+)|\bnpm (test)\b/g)];
  for (const [text, name = "", test] of named) {
    const command = name.endsWith(".ts") ? `bun run ${name}` : scripts[test ?? name];
    const path = /\S+\.ts/.exec(command ?? "")?.[0];
    assert.ok(path !== undefined && existsSync(`${repositoryRoot}/${path}`), `${text}: ${command}`);
  }
  for (const { text } of blocks("sh")) {
    for (const command of text.replaceAll(/#.*/g, "").trim().split(/\n|&&/)) {
      assert.match(command.trim(), /^npm (?:ci|install|test|run [\w:]+)$/);
    }
  }
  for (const [, path = ""] of readme.matchAll(/\]\(([\w./]+)\)/g)) {
    assert.ok(existsSync(`${repositoryRoot}/${path}`), path);
  }
});

test("README: the first command ends with the line that it shows", async () => {
  const shown = found(/ends with a line like `(A call took [^`]+)`/);
  const output = await mustRun([runtimeProgram("bun"), "run", "quickstart"], repositoryRoot);
  const shape = (line: string): string => line.replaceAll(/\d+(?:\.\d)? (?:µs|ms)/g, "N µs");
  assert.equal(shape(output.trimEnd().split("\n").at(-1) ?? ""), shape(shown));
});

/** The sample on a port that is free: 5555 may be somebody's on this machine. */
async function writeSample(name: string, change: (text: string) => string = String): Promise<string> {
  const text = sample?.text ?? "";
  assert.match(text, /:5555"/);
  return (await project()).write(name, change(text).replaceAll(":5555", `:${await freePort()}`));
}

for (const serving of allRuntimes) {
  const calling: RuntimeName = serving === "bun" ? "deno" : "bun";
  test(`README: the sample runs in two terminals, the service on ${serving}`, async () => {
    const script = await writeSample(`sum_on_${serving}.ts`);
    await using service = start(serving, script, ["serve"]);
    await using client = start(calling, script);
    const exit = await within(client.exit, 20_000, "the client to end");
    assert.deepEqual(exit, { code: 0, signal: null }, client.errorText + service.errorText);
    assert.equal(client.outputText.trim(), found(/which prints `([^`]+)`/));
    assert.equal(service.ended, undefined, service.errorText);
  });
}

/** The errors that Deno's compiler must report, by file: the wrong payload, and the options that the guide names. */
async function checkTypes(): Promise<Map<string, string>> {
  const options = [...textOf("docs/guides/options.md").matchAll(/^\| (`\w.*?) *\|/gm)];
  const names = options.flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)/g)].map(([, name]) => name));
  assert.ok(names.includes("endpoint") && names.length >= 40);
  const typed = `import type { MessengerOptions } from "zeromesh";
export const names: (keyof MessengerOptions)[] = ${JSON.stringify(names)};`;
  const scripts = [await writeSample("wrong.ts", makeWrong), (await project()).write("options.ts", typed)];
  // Together, since the library's declarations are most of the work.
  const cwd = (await project()).folder;
  await using check = spawnCommand([runtimeProgram("deno"), "check", "--quiet", ...scripts], { cwd });
  assert.equal((await within(check.exit, 60_000, "the check to end")).code, 1);
  const errors = new Map<string, string>();
  for (const [text, file = ""] of check.errorText.matchAll(/^TS\d+ [^]*?\/([\w.]+):\d+:\d+$/gm)) {
    errors.set(file, `${errors.get(file) ?? ""}${text}\n`);
  }
  return errors;
}

let typesChecked: Promise<Map<string, string>> | undefined;
const typeErrors = (): Promise<Map<string, string>> => typesChecked ??= checkTypes();
const makeWrong = (text: string): string =>
  text.replace("b: 4", found(/does not compile with `([^`]+)` in the call/));

test("README: the wrong payload prints what README says", async () => {
  const script = await writeSample("wrong.ts", makeWrong);
  assert.ok(readFileSync(script, "utf8").includes(makeWrong("b: 4")));
  await using service = start(allRuntimes[0]!, script, ["serve"]);
  for (const runtime of allRuntimes) {
    await using client = start(runtime, script);
    const exit = await within(client.exit, 20_000, "the client to end");
    assert.deepEqual(exit, { code: 1, signal: null }, client.outputText);
    assert.ok(client.errorText.includes(found(/sends nothing and prints `([^`]+)`/)), client.errorText);
  }
  assert.equal(service.ended, undefined, service.errorText);
});

test("README: the wrong payload does not compile", async () => {
  const errors = (await typeErrors()).get("wrong.ts") ?? "";
  assert.match(errors, /TS2322[^]*Type 'string' is not assignable to type 'number'/);
});

test("docs/guides/options.md: the options it names are options", async () => {
  assert.deepEqual([...(await typeErrors()).keys()], ["wrong.ts"]);
});
