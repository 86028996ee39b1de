/**
 * Compiles a program into one file with its runtime and libzmq, so that the machine needs neither:
 * `bun run tools/build_binary.ts --help`.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { LibraryInfo } from "../ffi/mod.ts";
import { libraryToEmbed } from "../src/cli/libzmq_command.ts";
import {
  productPermissions,
  repositoryRoot,
  type RuntimeName,
  runtimeProgram,
} from "../test/support/runtime.ts";
import { licensesText } from "./licenses.ts";
import { killAllOnSignals, runCommand } from "./run_command.ts";

const help = `Compiles a program into one executable with libzmq inside.

bun run tools/build_binary.ts [options]

  --entry FILE     the program (examples/service.ts)
  --out FILE       the executable (dist/zeromesh-service, for Deno dist/zeromesh-service-deno)
  --runtime NAME   the runtime inside: bun or deno (bun)
  --library FILE   the libzmq inside (the one of the npm package zeromq)
  --help           this text

The executable is for machines like this one: the same system, processor and C library. Besides the program's own
arguments it takes --licenses, which prints the licences of its parts.

Deno downloads its runtime part, denort, the first time. DENORT_BIN names one that exists already.`;

/** The entry for Bun, which embeds imports of files and of text. */
function bunEntry(program: string, library: string): string {
  return `import libzmq from "./libzmq.so" with { type: "file" };
import licenses from "./licenses.txt" with { type: "text" };
import { embeddedLibrary } from ${library};

if (process.argv.includes("--licenses")) {
  process.stdout.write(licenses);
} else {
  embeddedLibrary(libzmq);
  await import(${program});
}
`;
}

/** The entry for Deno, which embeds files named on its command line. */
function denoEntry(program: string, library: string): string {
  return `import { readFileSync } from "node:fs";
import process from "node:process";
import { embeddedLibrary } from ${library};

if (process.argv.includes("--licenses")) {
  process.stdout.write(readFileSync(import.meta.dirname + "/licenses.txt"));
} else {
  embeddedLibrary(import.meta.dirname + "/libzmq.so");
  await import(${program});
}
`;
}

async function compileWithBun(folder: string, out: string): Promise<void> {
  await run([runtimeProgram("bun"), "build", "--compile", `${folder}/entry.ts`, "--outfile", out], folder);
}

async function compileWithDeno(folder: string, out: string): Promise<void> {
  // Bundled first, outside the repository: Deno would embed all of a project's node_modules.
  const bundle = mkdtempSync(`${tmpdir()}/zeromesh-binary-`);
  try {
    // In several files, since code for one runtime must not be loaded on the other.
    const options = [
      "--target=node",
      "--format=esm",
      "--splitting",
      "--external=bun:*",
      `--outdir=${bundle}`,
    ];
    await run([runtimeProgram("bun"), "build", ...options, `${folder}/entry.ts`], folder);
    for (const name of ["libzmq.so", "licenses.txt"]) copyFileSync(`${folder}/${name}`, `${bundle}/${name}`);
    writeFileSync(`${bundle}/deno.json`, "{}");
    const includes = ["--include=libzmq.so", "--include=licenses.txt"];
    const command = [runtimeProgram("deno"), "compile", "--no-check", ...productPermissions, ...includes];
    await run([...command, `--output=${out}`, "entry.js"], bundle);
  } finally {
    rmSync(bundle, { recursive: true, force: true });
  }
}

async function run(command: readonly string[], cwd: string): Promise<void> {
  const env = { ...process.env, NO_COLOR: "1", RUST_BACKTRACE: undefined };
  const { code, output } = await runCommand(command, { timeoutMs: 300_000, cwd, env });
  if (code === 0) return;
  const hint = /\bdenort\b/.test(output)
    ? "\nDeno could not get its runtime part, denort; fetch it elsewhere and name it in DENORT_BIN"
    : "";
  throw new Error(`${command.join(" ")}\n${output.trim()}${hint}`);
}

async function build(entry: string, out: string, runtime: RuntimeName, library: LibraryInfo): Promise<void> {
  if (!existsSync(entry)) throw new Error(`Cannot compile ${entry}: it does not exist`);
  mkdirSync(`${repositoryRoot}/dist`, { recursive: true });
  // Inside the repository, so that tsconfig.json and node_modules are found.
  const folder = mkdtempSync(`${repositoryRoot}/dist/binary-`);
  try {
    // Renamed, because the bundler treats *.node files differently.
    copyFileSync(library.path, `${folder}/libzmq.so`);
    writeFileSync(`${folder}/licenses.txt`, licensesText(library, runtime));
    const specifier = (path: string): string => JSON.stringify(`./${relative(folder, path)}`);
    const text = runtime === "bun" ? bunEntry : denoEntry;
    writeFileSync(
      `${folder}/entry.ts`,
      text(specifier(entry), specifier(`${repositoryRoot}/ffi/mod.ts`)),
    );
    mkdirSync(dirname(out), { recursive: true });
    await (runtime === "bun" ? compileWithBun : compileWithDeno)(folder, out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      entry: { type: "string", default: "examples/service.ts" },
      out: { type: "string" },
      runtime: { type: "string", default: "bun" },
      library: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const { runtime } = values;
  if (runtime !== "bun" && runtime !== "deno") throw new Error(`--runtime is bun or deno, not ${runtime}`);
  const named = values.library === undefined ? undefined : resolve(repositoryRoot, values.library);
  const library = await libraryToEmbed(named);
  const path = values.out ?? (runtime === "bun" ? "dist/zeromesh-service" : "dist/zeromesh-service-deno");
  const out = resolve(repositoryRoot, path);
  await build(resolve(repositoryRoot, values.entry), out, runtime, library);
  console.log(`${path}: ${(statSync(out).size / 2 ** 20).toFixed(0)} MiB, carries ${library.path}`);
  return 0;
}

killAllOnSignals();
try {
  process.exit(await main());
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
