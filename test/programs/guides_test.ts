/** Everything that README and the guides show in TypeScript compiles, runs and prints what they say. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { after, test } from "node:test";
import { Messenger, type PeerInfoJson, unaryHandler } from "../../src/mod.ts";
import { freePort } from "../support/ports.ts";
import {
  allRuntimes,
  productPermissions,
  repositoryRoot,
  type RuntimeName,
  runtimeProgram,
  scriptCommand,
} from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { within } from "../support/until.ts";
import { type Block, blocksIn, documents, outputSaidBy, programOf, textOf, useOf } from "./documents.ts";
import { mustRun, OwnProject } from "./readme_project.ts";

// Made once for the file: it takes a while.
let ownProject: Promise<OwnProject> | undefined;
function project(): Promise<OwnProject> {
  return ownProject ??= OwnProject.create();
}
after(async () => {
  const made = await ownProject?.catch(() => undefined);
  if (made !== undefined) rmSync(made.folder, { recursive: true, force: true });
});

const folderOf = (document: string): string => document.replaceAll(/\W/g, "_").toLowerCase();

/** Writes a document's snippets into a folder of its own and returns their paths; README's sample has its own test. */
async function writeSnippets(document: string): Promise<string[]> {
  const own = await project();
  return snippetsOf(document).map((block) => own.write(pathOf(document, block), sourceOf(document, block)));
}

function snippetsOf(document: string): Block[] {
  const snippets = blocksIn(textOf(document)).filter(({ language }) => language === "ts");
  return document === "README.md" ? snippets.slice(1) : snippets;
}

function pathOf(document: string, block: Block): string {
  const use = useOf(document, block);
  return `${folderOf(document)}/${use.kind === "file" ? use.name : `line_${block.line}.ts`}`;
}

function sourceOf(document: string, block: Block): string {
  if (useOf(document, block).kind === "file") return block.text;
  // The port of a server may be somebody's on this machine.
  return programOf(block.text).replaceAll(/\bport: \d+/g, "port: 0");
}

const outputs = new Map<string, Promise<Map<string, string>>>();

/**
 * What the snippets of all documents print on a runtime, by their names: those that may do the same run in one process,
 * one after the other.
 */
function outputsOf(runtime: RuntimeName, permissions: readonly string[]): Promise<Map<string, string>> {
  const key = [runtime, ...permissions].join(" ");
  const known = outputs.get(key);
  if (known !== undefined) return known;
  const made = runSnippets(runtime, permissions);
  outputs.set(key, made);
  return made;
}

async function runSnippets(
  runtime: RuntimeName,
  permissions: readonly string[],
): Promise<Map<string, string>> {
  const names: string[] = [];
  for (const document of documents) {
    await writeSnippets(document);
    for (const block of snippetsOf(document)) {
      if (block.note === "" && permissionsOf(block.text).join() === permissions.join()) {
        names.push(pathOf(document, block));
      }
    }
  }
  const text = names.map((name) => `console.log("--- ${name}");\nawait import("./${name}");\n`);
  const script = (await project()).write(`${runtime}_${permissions.length}_snippets.ts`, text.join(""));
  const output = await mustRun(scriptCommand(runtime, script, { permissions }), (await project()).folder);
  const parts = output.split(/^--- (.+)$/m).slice(1);
  return new Map(names.map((name, index) => {
    assert.equal(parts[2 * index], name, output);
    return [name, parts[2 * index + 1]!.trim()];
  }));
}

/** The permissions of a snippet on Deno: serving over HTTP needs more than the library itself. */
function permissionsOf(text: string): readonly string[] {
  return text.includes(".serve(") ? [...productPermissions, "--allow-net=127.0.0.1"] : productPermissions;
}

/** Ports that a document names may be somebody's on this machine. */
async function moved(text: string, ports: Map<string, number>): Promise<string> {
  for (const [, port = ""] of text.matchAll(/:(5\d{3})\b/g)) {
    if (!ports.has(port)) ports.set(port, await freePort());
  }
  return text.replaceAll(/:(5\d{3})\b/g, (_, port: string) => `:${ports.get(port)}`);
}

test("every snippet of README and the guides compiles", async () => {
  const scripts: string[] = [];
  for (const document of documents) scripts.push(...await writeSnippets(document));
  // What a project installs that takes a package whose types ask for those of Node.
  const types = `${(await project()).folder}/node_modules/@types`;
  await mustRun(["ln", "-s", `${repositoryRoot}/node_modules/@types`, types], repositoryRoot);
  // All at once: the compiler reads the library's declarations once. In the project: elsewhere Deno takes the sources.
  await mustRun([runtimeProgram("deno"), "check", "--quiet", ...scripts], (await project()).folder, 150_000);
});

test("README and the guides' index link to every guide", () => {
  const named = (link: string): string => link.slice(link.lastIndexOf("/") + 1);
  for (const index of ["README.md", "docs/guides/README.md"]) {
    const links = [...textOf(index).matchAll(/\]\(([\w./-]+)\)/g)].map(([, link = ""]) => named(link));
    const missing = documents.map(named).filter((name) => name !== "README.md" && !links.includes(name));
    assert.deepEqual(missing, [], index);
  }
});

for (const document of documents) {
  test(`${document}: what it links to is there`, () => {
    for (const [, link = ""] of textOf(document).matchAll(/\]\(([\w./-]+)(?:#[\w-]+)?\)/g)) {
      const path = `${repositoryRoot}/${dirname(document)}/${link}`;
      assert.ok(existsSync(path), `${document} links to ${link}`);
    }
  });

  const snippets = snippetsOf(document);
  if (snippets.length === 0) continue;

  for (const [block, runtime] of snippets.flatMap((one) => allRuntimes.map((name) => [one, name] as const))) {
    if (block.note !== "") continue;
    test(`${document}: the snippet in line ${block.line} prints what it says (${runtime})`, async () => {
      const output = (await outputsOf(runtime, permissionsOf(block.text))).get(pathOf(document, block))!;
      const said = outputSaidBy(block.text);
      if (said.length > 0) assert.deepEqual(output.split("\n"), said);
      else if (block.text.includes(".status()")) assert.match(output, /is gone/);
      else if (block.text.includes("meter.text()")) {
        assert.match(output, /^zeromesh_calls_started_total \d+$/m);
      }
    });
  }

  for (const block of blocksIn(textOf(document))) {
    if (block.language !== "sh" || block.note !== "run") continue;
    test(`${document}: the commands in line ${block.line} do what they say`, async () => {
      await runCommands(document, block);
    });
  }
}

/** Runs the lines of a block: those that end with `&` until they print something, the others to their end. */
async function runCommands(document: string, block: Block): Promise<void> {
  const own = await project();
  const ports = new Map<string, number>();
  for (const file of snippetsOf(document)) {
    own.write(pathOf(document, file), await moved(sourceOf(document, file), ports));
  }
  const cwd = `${own.folder}/${folderOf(document)}`;
  await using background = new AsyncDisposableStack();
  for (const line of block.text.trim().split("\n")) {
    const [command = "", said] = line.split(" # ");
    const words = (await moved(command, ports)).trim().split(" ");
    const name = words.shift() as RuntimeName;
    assert.ok(name === "bun" || name === "deno", `${document}:${block.line}: only bun and deno are run`);
    const program = [runtimeProgram(name), ...words.filter((word) => word !== "&")];
    if (words.at(-1) === "&") await background.use(spawnCommand(program, { cwd })).waitForLine(said ?? "");
    else {
      const output = await mustRun(program, cwd);
      if (said !== undefined) assert.equal(output.trim(), said.trim());
    }
    for (const word of words.filter((word) => /^--(?:allow|deny)-(?!net|write)/.test(word))) {
      assert.ok(
        productPermissions.includes(word),
        `${document}:${block.line}: ${word} is more than it needs`,
      );
    }
  }
}

test("docs/guides/tsconfig.md: its settings check the programs of the first guide", async () => {
  const own = await project();
  const started = "docs/guides/getting-started.md";
  for (const file of snippetsOf(started)) {
    const name = useOf(started, file);
    if (name.kind === "file") own.write(`tsconfig/${name.name}`, file.text);
  }
  const settings = blocksIn(textOf("docs/guides/tsconfig.md")).find(({ note }) =>
    note === "file=tsconfig.json"
  );
  own.write("tsconfig/tsconfig.json", settings?.text ?? "");
  const types = `${own.folder}/tsconfig/node_modules`;
  mkdirSync(types);
  await mustRun(["ln", "-s", `${repositoryRoot}/node_modules/@types`, types], repositoryRoot);
  own.write("tsconfig/wrong.ts", `import { contract } from "zeromesh";\ncontract(1);\n`);
  const compiler = [runtimeProgram("bun"), `${repositoryRoot}/node_modules/typescript/bin/tsc`];
  const options = ["--project", `${own.folder}/tsconfig`, "--pretty", "false", "--singleThreaded"];
  await using check = spawnCommand([...compiler, ...options]);
  await within(check.exit, 60_000, "the compiler to end");
  const wrong = [...check.outputText.matchAll(/^(\S.*)\(\d+,\d+\): error/gm)].map(([, file = ""]) => file);
  assert.ok(wrong.length > 0 && wrong.every((file) => file.endsWith("wrong.ts")), check.outputText);
});

test("a snippet that is not run says why", () => {
  const block = (note: string): Block => ({ language: "ts", note, text: "", line: 1 });
  assert.deepEqual(useOf("a.md", block("no-run it needs two machines")), { kind: "check" });
  for (const note of ["no-run", "no-run because", "ignore"]) {
    assert.throws(() => useOf("a.md", block(note)), /a\.md:1: say "no-run" and, in words, why/);
  }
});

for (const runtime of allRuntimes) {
  test(`docs/guides/velo.md: its snippet runs with another node's peer info in the file (${runtime})`, async () => {
    await using node = await Messenger.create();
    node.registerHandler(unaryHandler("of the other node", ({ payload }) => payload));
    const document = "docs/guides/velo.md";
    const [block, ...more] = snippetsOf(document);
    assert.ok(block !== undefined && more.length === 0);
    const own = await project();
    const program = block.text.replace("0.0.0.0:5556", "127.0.0.1:0").replace("10.0.0.7", "127.0.0.1");
    assert.equal(program.match(/127\.0\.0\.1/g)?.length, 2);
    const folder = `velo_snippet_${runtime}`;
    const script = own.write(`${folder}/main.ts`, program);
    own.write(`${folder}/theirs.json`, JSON.stringify(node.peerInfo()));
    const cwd = `${own.folder}/${folder}`;
    const permissions = [...productPermissions, `--allow-write=${cwd}`];
    const output = await mustRun(scriptCommand(runtime, script, { permissions }), cwd);
    assert.match(output, /of the other node/);
    const ours = JSON.parse(readFileSync(`${cwd}/ours.json`, "utf8")) as PeerInfoJson;
    assert.equal(node.registerPeer(ours), ours.instance_id);
  });
}
