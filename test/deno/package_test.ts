/** The npm package as people get it: packed, installed into empty projects, used from both runtimes. */
import { assertEquals, assertMatch } from "@std/assert";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { missingDenort } from "../support/denort.ts";
import { longRun, productPermissions, repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { install, type Installed, mustRun, pack, run } from "./package_project.ts";

const bun = runtimeProgram("bun");
const deno = runtimeProgram("deno");
const { tarball, packer, byNpm, byBun } = await pack();
// With what entry points want that not everybody uses, and without.
const peers = ["prom-client", "@opentelemetry/api"];
const projects = [
  await install("npm", tarball, ["zod", ...peers]),
  await install("bun", tarball, ["zod", ...peers]),
];
const lean = await install("bun", tarball, ["zod"]);
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

/** Whether all compilers check a project: daily only one checks the layout of Bun, since the files are the same. */
function thorough({ installer }: Installed): boolean {
  return installer === "npm" || projects[0]!.missing !== undefined || longRun;
}

/** A test in each project; with the reason in its title where there is no such project. */
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
  const names = byNpm ?? byBun;
  const expected =
    /^(?:dist\/lib\/(?:src|ffi)\/.*\.(?:js|d\.ts|js\.map)|docs\/(?:metrics|guides\/.*)\.md|examples\/.*\.ts)$/;
  const odd = names.filter((name) => !expected.test(name));
  assertEquals(odd.sort(), ["ARCHITECTURE.md", "CHANGELOG.md", "LICENSE", "README.md", "package.json"]);
  const readme = readFileSync(`${repositoryRoot}/README.md`, "utf8");
  for (const [, link = ""] of readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)) {
    assertEquals(names.some((name) => name === link || name.startsWith(`${link}/`)), true, `README: ${link}`);
  }
  const { size } = statSync(tarball);
  console.log(
    `# the package as ${packer} packs it: ${names.length} files, ${Math.round(size / 1024)} KiB packed`,
  );
  assertEquals(size < 2 ** 21, true, `${size} bytes`);
});

Deno.test({
  name: `npm and Bun pack the same files${byNpm === undefined ? " (skipped: npm is not installed)" : ""}`,
  ignore: byNpm === undefined,
  fn: () => assertEquals(byBun, byNpm),
});

eachProject("every entry point works on Bun", async ({ folder }) => {
  writeFileSync(`${folder}/main.ts`, program);
  assertMatch(await mustRun([bun, "run", "main.ts"], folder), printed);
});

const specifiers = program.replaceAll(/from "(zeromesh|zod)/g, 'from "npm:$1');
for (
  const [name, file, text] of [
    ["every entry point works on Deno with the permissions README names", "main.ts", program],
    ["Deno takes npm: specifiers as well", "specifiers.ts", specifiers],
  ] as const
) {
  eachProject(name, async ({ folder }) => {
    writeFileSync(`${folder}/${file}`, text);
    const command = [deno, "run", "--quiet", "--no-prompt", "--no-check", ...productPermissions, file];
    assertMatch(await mustRun(command, folder), printed);
  });
}

eachProject(
  "Deno's compiler takes every entry point, by its name and by npm: specifiers",
  async (project) => {
    const { folder } = project;
    writeFileSync(`${folder}/main.ts`, program);
    writeFileSync(`${folder}/specifiers.ts`, specifiers);
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
    writeFileSync(`${folder}/main.ts`, program);
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
        [bun, compiler, "-p", "tsconfig.case.json", "--pretty", "false"],
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
});

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

const ready = lean;
Deno.test({
  name: `one line embeds libzmq in a program that Bun compiles${
    ready.missing === undefined ? "" : ` (skipped: ${ready.missing})`
  }`,
  ignore: ready.missing !== undefined,
  fn: () => singleFile(ready.folder, "bun"),
});
Deno.test({
  name: `Deno's command in the guide takes the program and libzmq along${
    ready.missing === undefined ? "" : ` (skipped: ${ready.missing})`
  }`,
  ignore: ready.missing !== undefined,
  async fn() {
    // Any program can stand for the runtime part while the result is not run.
    await compileAsInGuide(ready.folder, "deno", { DENORT_BIN: deno });
    const file = readFileSync(`${ready.folder}/program`);
    assertEquals(file.includes(readFileSync(`${ready.folder}/libzmq.so`)), true, "no libzmq in it");
    assertEquals(file.includes("inferred, and not any"), true, "no program in it");
    rmSync(`${ready.folder}/program`);
  },
});

const why = ready.missing ?? denort;
Deno.test({
  name: `one line embeds libzmq in a program that Deno compiles${why === false ? "" : ` (skipped: ${why})`}`,
  ignore: why !== false,
  fn: () => singleFile(ready.folder, "deno"),
});

const npm = projects[0]!;
Deno.test({
  name: `npm would publish it${npm.missing === undefined ? "" : ` (skipped: ${npm.missing})`}`,
  ignore: npm.missing !== undefined,
  fn: async () => {
    // A level of its own: under `npm test --silent` npm inherits the silence.
    const { code, text } = await run(
      ["npm", "publish", "--dry-run", "--loglevel=notice", tarball],
      npm.folder,
    );
    assertEquals(code, 0, text);
    assertMatch(text, new RegExp(`^\\+ zeromesh@${manifest.version.replaceAll(".", "\\.")}$`, "m"));
    // npm says so when it has to correct the manifest.
    assertEquals(/auto-corrected|npm warn publish (?!This command requires)/.test(text), false, text);
  },
});
