/** The npm package as people get it: packed, installed into empty projects, used from both runtimes. */
import { assertEquals, assertMatch } from "@std/assert";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import process from "node:process";
import { missingDenort } from "../support/denort.ts";
import { longRun, productPermissions, repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { install, type Installed, mustRun, pack, run } from "./package_project.ts";

const bun = runtimeProgram("bun");
const deno = runtimeProgram("deno");
const { tarball, names } = await pack();
// With what entry points want that not everybody uses, and without.
const full = await install("bun", tarball, ["zod", "prom-client", "@opentelemetry/api"]);
const byNpm = await install("npm", tarball, ["zod"]);
const lean = byNpm.missing === undefined ? byNpm : await install("bun", tarball, ["zod"]);
const projects = [full, lean];
const denort = await missingDenort();

interface Manifest {
  readonly version: string;
  readonly exports: Readonly<Record<string, { readonly types: string; readonly default: string }>>;
}
const manifest = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as Manifest;
const all = Object.keys(manifest.exports).map((key) => key.replace(/^\./, "zeromesh"));

function programOf(specifiers: readonly string[]): string {
  const imports = specifiers.map((specifier, index) => `import * as entry${index} from "${specifier}";`);
  return `${imports.join("\n")}
import { contract, Messenger } from "zeromesh";
import { openBackend } from "zeromesh/ffi";
import { z } from "zod";
const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});
await using server = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
await using client = await Messenger.create();
const { sum } = await client.typedUnary(add, { to: await client.connect(server.endpoint), payload: { a: 3, b: 4 } });
const typed: 0 extends 1 & typeof sum ? never : number = sum; // inferred, and not any
const entries = [${specifiers.map((_, index) => `entry${index}`).join(", ")}];
const empty = entries.filter((entry) => Object.keys(entry).length === 0).length;
console.log("sum", typed, "libzmq", (await openBackend()).library.version, "empty", empty);
`;
}
const program = programOf(all);
const leanProgram = programOf(all.filter((one) => !["zeromesh/prometheus", "zeromesh/otel"].includes(one)));
const printed = /^sum 7 libzmq \d+\.\d+\.\d+ empty 0\n$/;

/** The program for a project: without the entry points whose packages it lacks. */
function programFor(project: Installed): string {
  return project === lean ? leanProgram : program;
}

/** Whether a project is tried in every way: daily the lean one only in some, since the files are the same. */
function thorough(project: Installed): boolean {
  return project === full || longRun;
}

/** A test in each project; with the reason in its title if there is no such project. */
function eachProject(
  name: string,
  body: (project: Installed) => Promise<void>,
  which: (project: Installed) => boolean = () => true,
): void {
  for (const project of projects.filter(which)) {
    const { installer, missing } = project;
    const title = `installed by ${installer}: ${name}`;
    Deno.test({
      name: missing === undefined ? title : `${title} (skipped: ${missing})`,
      ignore: missing !== undefined,
      fn: () => body(project),
    });
  }
}

/** The files below a folder that end like this. */
function files(folder: string, ending: string): string[] {
  return readdirSync(folder, { recursive: true }).map(String).filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`);
}

Deno.test("the packed package holds compiled modules and all that README links to, and is small", () => {
  const expected =
    /^(?:dist\/lib\/(?:src|ffi)\/.*\.(?:js|d\.ts|js\.map)|docs\/(?:metrics|guides\/.*)\.md|examples\/.*\.(?:ts|py))$/;
  const odd = names.filter((name) => !expected.test(name));
  assertEquals(odd.sort(), ["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  const readme = readFileSync(`${repositoryRoot}/README.md`, "utf8");
  for (const [, link = ""] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
    assertEquals(names.some((name) => name === link || name.startsWith(`${link}/`)), true, `README: ${link}`);
  }
  const { size } = statSync(tarball);
  console.log(`# the package: ${names.length} files, ${Math.round(size / 1024)} KiB packed`);
  assertEquals(size < 2 ** 21, true, `${size} bytes`);
});

eachProject("every entry point works on Bun", async (project) => {
  const { folder } = project;
  writeFileSync(`${folder}/main.ts`, programFor(project));
  assertMatch(await mustRun([bun, "run", "main.ts"], folder), printed);
});

/** A program that names packages as Deno does. */
const withSpecifiers = (text: string): string => text.replaceAll(/from "(zeromesh|zod)/g, 'from "npm:$1');
for (
  const [name, file, change, which] of [
    [
      "every entry point works on Deno with the permissions README names",
      "main.ts",
      (text: string) => text,
      undefined,
    ],
    ["Deno takes npm: specifiers as well", "specifiers.ts", withSpecifiers, thorough],
  ] as const
) {
  eachProject(name, async (project) => {
    const { folder } = project;
    writeFileSync(`${folder}/${file}`, change(programFor(project)));
    const command = [deno, "run", "--quiet", "--no-prompt", "--no-check", ...productPermissions, file];
    assertMatch(await mustRun(command, folder), printed);
  }, which);
}

eachProject(
  "Deno's compiler takes every entry point, by its name and by npm: specifiers",
  async (project) => {
    const { folder } = project;
    writeFileSync(`${folder}/main.ts`, programFor(project));
    writeFileSync(`${folder}/specifiers.ts`, withSpecifiers(programFor(project)));
    // In one process, which reads the declarations once.
    await mustRun([deno, "check", "--quiet", "main.ts", "specifiers.ts"], folder);
  },
  thorough,
);

eachProject(
  "strict TypeScript takes it, with every resolution that matters and all libraries checked",
  async (project) => {
    const { folder } = project;
    // Without Bun's types a project needs those of the platform, which "dom" has.
    const bunTypes = {
      lib: ["esnext"],
      typeRoots: [`${repositoryRoot}/node_modules/@types`],
      types: ["bun"],
    };
    const others = { lib: ["es2022", "dom"], types: [] };
    const cases = [
      { module: "esnext", moduleResolution: "bundler", ...bunTypes },
      { module: "nodenext", moduleResolution: "nodenext", ...others },
      // These find the package as the first two do: only long runs need them.
      { module: "preserve", moduleResolution: "bundler", ...others },
      { module: "node16", moduleResolution: "node16", ...bunTypes },
    ];
    const count = longRun ? cases.length : thorough(project) ? 2 : 1;
    writeFileSync(`${folder}/main.ts`, programFor(project));
    const strict = {
      strict: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      noEmit: true,
      target: "es2022",
    };
    for (const options of cases.slice(0, count)) {
      const config = { compilerOptions: { ...strict, ...options }, files: ["main.ts"] };
      writeFileSync(`${folder}/tsconfig.case.json`, JSON.stringify(config));
      const compiler = `${repositoryRoot}/node_modules/typescript/bin/tsc`;
      const { code, text } = await run(
        [bun, compiler, "-p", "tsconfig.case.json", "--pretty", "false", "--singleThreaded"],
        folder,
      );
      assertEquals(code, 0, `${JSON.stringify(options)}\n${text}`);
    }
  },
);

Deno.test("the declarations have no any, and no module has a map to a source that is not in the package", async () => {
  const folder = `${tmpdir()}/unpacked`;
  await mustRun(["mkdir", folder], tmpdir());
  await mustRun(["tar", "-xzf", tarball, "-C", folder], tmpdir());
  const root = `${folder}/package/dist/lib`;
  for (const path of files(root, ".d.ts")) {
    const code = readFileSync(path, "utf8").replaceAll(/\/\*[^]*?\*\/|\/\/.*|"[^"\n]*"/g, "");
    assertEquals(code.match(/\bany\b/g), null, path);
  }
  const modules = files(root, ".js");
  for (const path of modules) {
    assertEquals(readFileSync(path, "utf8").includes("sourceMappingURL"), false, path);
  }
  assertEquals(modules.length > 100, true);
});

eachProject("a stack trace names files of the package that exist", async ({ folder }) => {
  const file = `${folder}/stack.ts`;
  writeFileSync(
    file,
    `import { Messenger } from "zeromesh";
     await Messenger.create({ endpoint: "nonsense" }).catch((error) => console.log(error.stack));`,
  );
  for (const command of [[deno, "run", "--allow-all", file], [bun, "run", file]]) {
    const stack = await mustRun(command, folder);
    const named = [...stack.matchAll(/\(?(?:file:\/\/)?(\/[^\s():]+):\d+:\d+\)?/g)].map((match) => match[1]!);
    assertEquals(named.some((path) => path.includes("/zeromesh/dist/lib/")), true, stack);
    assertEquals(named.filter((path) => !existsSync(path)), [], stack);
  }
}, thorough);

eachProject("the command zeromesh runs, and names the libzmq that came along", async ({ folder }) => {
  const text = await mustRun([bun, "x", "--no-install", "zeromesh", "libzmq"], folder);
  assertMatch(text, /^libzmq \d+\.\d+\.\d+, (?:system|bundled): \S+\ncapabilities: .*\bcurve\b/);
});

const guide = readFileSync(`${repositoryRoot}/docs/guides/single_file.md`, "utf8");

/** The guide's line that starts with a text. */
function guideLine(text: string): string {
  const line = guide.split("\n").find((line) => line.startsWith(text));
  if (line === undefined) throw new Error(`docs/guides/single_file.md has no line that starts with ${text}`);
  return line;
}

/** Compiles a program as the guide says, into the file `program`. */
async function compileAsInGuide(
  folder: string,
  runtime: "bun" | "deno",
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  const line = guideLine("embeddedLibrary(");
  const own = leanProgram.replace(`import { openBackend }`, `import { embeddedLibrary, openBackend }`)
    .replace("library.version", "library.origin");
  // What is imported is hoisted; the calls go in front of the rest.
  const [head, ...rest] = own.split(/^(?=const add)/m);
  writeFileSync(`${folder}/main.ts`, [head, `${line}\n`, ...rest].join(""));
  const words = (command: string): string[] =>
    command.split(/\s+/).map((word) => word === "bun" ? bun : word === "deno" ? deno : word);
  await mustRun(words(guideLine("bun x zeromesh libzmq").replace("bun x", "bun x --no-install")), folder);
  await mustRun(words(guideLine(runtime === "bun" ? "bun build --compile" : "deno compile")), folder, env);
}

/** Compiles a program as the guide says, and runs it in an empty folder with an empty environment. */
async function singleFile(folder: string, runtime: "bun" | "deno"): Promise<void> {
  await compileAsInGuide(folder, runtime);
  const place = `${tmpdir()}/empty-${runtime}`;
  await mustRun(["mkdir", place], folder);
  await mustRun(["mv", `${folder}/program`, place], folder);
  const places = [`HOME=${place}`, `TMPDIR=${place}`];
  const text = await mustRun(["env", "-i", ...places, `${place}/program`], place);
  assertEquals(text, "sum 7 libzmq embedded empty 0\n");
}

Deno.test({
  name: `one line embeds libzmq in a program that Bun compiles${
    lean.missing === undefined ? "" : ` (skipped: ${lean.missing})`
  }`,
  ignore: lean.missing !== undefined,
  fn: () => singleFile(lean.folder, "bun"),
});
Deno.test({
  name: `Deno's command in the guide takes the program and libzmq along${
    lean.missing === undefined ? "" : ` (skipped: ${lean.missing})`
  }`,
  ignore: lean.missing !== undefined,
  async fn() {
    // While the result is not run, another program can stand for the runtime part: on Linux a small one.
    await compileAsInGuide(lean.folder, "deno", {
      DENORT_BIN: process.platform === "linux" ? "/bin/true" : deno,
    });
    const file = readFileSync(`${lean.folder}/program`);
    assertEquals(file.includes(readFileSync(`${lean.folder}/libzmq.so`)), true, "no libzmq in it");
    assertEquals(file.includes("inferred, and not any"), true, "no program in it");
    rmSync(`${lean.folder}/program`);
  },
});

const why = lean.missing ?? denort;
Deno.test({
  name: `one line embeds libzmq in a program that Deno compiles${why === false ? "" : ` (skipped: ${why})`}`,
  ignore: why !== false,
  fn: () => singleFile(lean.folder, "deno"),
});

/** The facts that npm prints about a package that it publishes. */
interface Published {
  readonly id: string;
  readonly files: readonly { readonly path: string }[];
}

Deno.test({
  name: `npm would publish the same files${
    byNpm.missing === undefined ? "" : ` (skipped: ${byNpm.missing})`
  }`,
  ignore: byNpm.missing !== undefined,
  fn: async () => {
    // A level of its own: under `npm test --silent` npm inherits the silence. What is packed has been built.
    const { code, text, output } = await run(
      ["npm", "publish", "--dry-run", "--ignore-scripts", "--json", "--loglevel=notice"],
      repositoryRoot,
    );
    assertEquals(code, 0, text);
    const shown = JSON.parse(output) as Published & Record<string, Published>;
    // Before version 11 npm showed it without its name around it.
    const { id, files } = shown.zeromesh ?? shown;
    assertEquals(id, `zeromesh@${manifest.version}`);
    assertEquals(files.map(({ path }) => path).sort(), names);
    // npm says so when it has to correct the manifest.
    assertEquals(/auto-corrected|npm warn publish (?!This command requires)/.test(text), false, text);
  },
});
