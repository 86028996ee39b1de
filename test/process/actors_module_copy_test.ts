import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { currentRuntime, repositoryRoot } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";

/** The answer of the program: a copy with what its default export returned, or an error. */
interface Answer {
  readonly specifier: string;
  readonly hash: string;
  readonly files: readonly string[];
  readonly value: unknown;
  readonly code: string;
  readonly message: string;
}

/** A package in a folder of its own, whose name has what a URL must escape. */
class Package implements Disposable {
  readonly root = mkdtempSync(`${tmpdir()}/a package #`);
  readonly copies = `${this.root}/.zeromesh`;

  constructor() {
    this.write("package.json", `{ "name": "actors", "imports": { "#shared": "./shared.ts" } }`);
    this.write("main.ts", `import "${repositoryRoot}/test/process/actors_module_copy_program.ts";`);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(`${this.root}/${path}`), { recursive: true });
    writeFileSync(`${this.root}/${path}`, text);
  }

  /** Starts the program in this package, on Deno with just these permissions. */
  async start(write = true): Promise<Loader> {
    const permissions = [`--allow-read=${this.root},${repositoryRoot}`];
    if (write) permissions.push(`--allow-write=${this.copies},${this.root}/inner/.zeromesh`);
    const program = spawnScript(`${this.root}/main.ts`, [], { cwd: this.root, permissions });
    await program.waitForLine("ready");
    return new Loader(program, this.root);
  }

  /** Folders of copies. */
  copied(): string[] {
    return existsSync(this.copies) ? readdirSync(this.copies).filter((name) => name.length === 64) : [];
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

class Loader implements AsyncDisposable {
  readonly program: SpawnedProcess;
  readonly #root: string;
  #answers = 1;

  constructor(program: SpawnedProcess, root: string) {
    this.program = program;
    this.#root = root;
  }

  /** Copies and loads a file of the package. */
  async load(path: string, limits: Record<string, number> = {}): Promise<Answer> {
    this.program.write(`${JSON.stringify([`${this.#root}/${path}`, limits])}\n`);
    const wanted = this.#answers++;
    let seen = "";
    await this.program.waitForLine(/^\{/);
    for (let lines: string[] = []; lines.length <= wanted;) {
      lines = this.program.outputText.split("\n").slice(0, -1);
      seen = lines[wanted] ?? "";
      if (seen === "") await this.program.stdout.next();
    }
    return JSON.parse(seen) as Answer;
  }

  async end(): Promise<void> {
    this.program.write("end\n");
    assert.deepEqual(await this.program.exit, { code: 0, signal: null }, this.program.errorText);
    assert.equal(this.program.errorText, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program.kill();
  }
}

test("copyModule() loads new content under an old path, also of the files that it imports", async () => {
  using home = new Package();
  home.write(
    "src/actors/counter.ts",
    `import { step } from "../step.ts";
     import dependency from "dependency";
     import { shared } from "#shared";
     import table from "./table.json" with { type: "json" };
     export { other } from "../other.js";
     import type { Nothing } from "../../missing.ts";
     const kind: number = 1;
     export default async (_: Nothing) => [step, dependency, shared, table, kind, (await import("./late.ts")).late];`,
  );
  home.write(
    "src/step.ts",
    `import "./actors/counter.ts"; export enum Kind { A } export const step: string = "step 1";`,
  );
  home.write("src/other.js", `export const other = 1;`);
  home.write("src/actors/table.json", `{ "of": 1 }`);
  home.write("src/actors/late.ts", `export const late = "late 1";`);
  home.write("shared.ts", `export const shared = "shared";`);
  home.write(
    "node_modules/dependency/package.json",
    `{ "name": "dependency", "main": "main.js", "type": "module" }`,
  );
  home.write("node_modules/dependency/main.js", `export default "dependency";`);
  await using loader = await home.start();
  const first = await loader.load("src/actors/counter.ts");
  assert.deepEqual(first.value, ["step 1", "dependency", "shared", { of: 1 }, 1, "late 1"], first.message);
  assert.deepEqual(
    first.files.map((path) => path.slice(home.root.length + 1)).sort(),
    ["src/actors/counter.ts", "src/actors/late.ts", "src/actors/table.json", "src/other.js", "src/step.ts"],
  );
  assert.equal(first.files[0], `${home.root}/src/actors/counter.ts`);
  assert.equal(fileURLToPath(first.specifier), `${home.copies}/${first.hash}/src/actors/counter.ts`);
  home.write("src/actors/late.ts", `export const late = "late 2";`);
  const second = await loader.load("src/actors/counter.ts");
  home.write("src/step.ts", `export const step = "step 3";`);
  home.write("src/actors/table.json", `{ "of": 3 }`);
  const third = await loader.load("src/actors/counter.ts");
  assert.deepEqual(second.value, ["step 1", "dependency", "shared", { of: 1 }, 1, "late 2"]);
  assert.deepEqual(third.value, ["step 3", "dependency", "shared", { of: 3 }, 1, "late 2"]);
  assert.equal(new Set([first.hash, second.hash, third.hash]).size, 3);
  const same = await loader.load("src/actors/counter.ts");
  assert.equal(same.specifier, third.specifier);
  assert.equal(home.copied().length, 3);
  await loader.end();
  assert.equal(existsSync(home.copies), false, "the copies outlive the program");
});

test("copyModule() refuses what it cannot copy, and names it", async () => {
  using home = new Package();
  home.write("inner/package.json", "{}");
  home.write("inner/outside.ts", `export * from "../shared.ts"; export default () => 1;`);
  home.write("inner/absent.ts", `import "./nothing.ts"; export default () => 1;`);
  home.write("inner/broken.ts", `import "./a.ts; export default () => 1;`);
  home.write("inner/open.ts", "export default () => {");
  home.write("inner/large.ts", `import "./second.ts"; export default () => 1;`);
  home.write("inner/second.ts", `import "./third.ts";`);
  home.write("inner/third.ts", "/* a comment of some bytes */");
  home.write("shared.ts", "");
  await using loader = await home.start();
  const refusals: [string, Record<string, number>, RegExp][] = [
    [
      "inner/outside.ts",
      {},
      /outside\.ts imports .*\/shared\.ts, which lies outside of its package .*\/inner;/,
    ],
    ["inner/absent.ts", {}, /absent\.ts imports \.\/nothing\.ts, and there is no such file/],
    ["inner/broken.ts", {}, /imports of .*broken\.ts cannot be read/],
    ["inner/open.ts", {}, /imports of .*open\.ts cannot be read \(its brackets do not match\)/],
    ["inner/none.ts", {}, /none\.ts/],
    ["inner/large.ts", { maxFiles: 2 }, /more than 2 files/],
    ["inner/large.ts", { maxBytes: 80 }, /larger than 80 bytes/],
  ];
  for (const [path, limits, message] of refusals) {
    const answer = await loader.load(path, limits);
    assert.equal(answer.code, "ACTOR_UPDATE_FAILED", answer.message);
    assert.match(answer.message, message);
  }
  const three = await loader.load("inner/large.ts", { maxFiles: 3 });
  assert.equal(three.value, 1, three.message);
  await loader.end();
});

test("copyModule() without permission to write says so", async () => {
  using home = new Package();
  home.write("counter.ts", "export default () => 1;");
  // On Bun the superuser may write everywhere, but not below a file.
  if (currentRuntime === "bun") home.write(".zeromesh", "");
  await using loader = await home.start(false);
  const answer = await loader.load("counter.ts");
  assert.equal(answer.code, "ACTOR_UPDATE_FAILED");
  assert.match(answer.message, /\.zeromesh.* must be able to read the package and to write/);
  await loader.end();
});

test("copyModule() removes what killed programs left, and nothing that living ones use", async () => {
  using home = new Package();
  home.write("both.ts", "export default () => 1;");
  home.write("killed.ts", "export default () => 2;");
  home.write("living.ts", "export default async () => await (await import('./late.ts')).default();");
  home.write("late.ts", "export default () => 3;");
  await using living = await home.start();
  await using killed = await home.start();
  const kept = [await living.load("both.ts"), await living.load("living.ts")].map(({ hash }) => hash);
  assert.equal((await killed.load("both.ts")).hash, kept[0]);
  await killed.load("killed.ts");
  assert.equal(home.copied().length, 3);
  await killed.program.kill();
  await using next = await home.start();
  const { hash } = await next.load("late.ts");
  assert.deepEqual(home.copied().sort(), [...kept, hash].sort());
  await next.end();
  assert.deepEqual(home.copied().sort(), kept.sort());
  await living.end();
  assert.equal(existsSync(home.copies), false);
});
