/**
 * Compiles a program into one file that carries Bun and libzmq with it and needs neither on the machine:
 * `bun run tools/build_binary.ts --help`.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { openBackend } from "../ffi/mod.ts";
import { repositoryRoot, runtimeProgram } from "../test/support/runtime.ts";
import { killAllOnSignals, runCommand } from "./run_command.ts";

const help = `Compiles a program into one executable with libzmq inside.

bun run tools/build_binary.ts [options]

  --entry FILE     the program (examples/service.ts)
  --out FILE       the executable (dist/zeromesh-service)
  --library FILE   the libzmq to carry; without it the one that the npm package zeromq brought
  --help           this text

The executable is for machines like this one: the same system, processor and C library.`;

/** The libzmq to embed. */
async function libraryToEmbed(): Promise<string> {
  const { library } = await openBackend({ search: ["bundled"] });
  if (!isAbsolute(library.path)) {
    throw new Error(`Cannot embed ${library.path}: give its path with --library`);
  }
  return library.path;
}

async function build(entry: string, out: string, library: string): Promise<void> {
  if (!existsSync(entry)) throw new Error(`Cannot compile ${entry}: it does not exist`);
  mkdirSync(`${repositoryRoot}/dist`, { recursive: true });
  // Inside the repository, so that tsconfig.json and node_modules are found from there.
  const folder = mkdtempSync(`${repositoryRoot}/dist/binary-`);
  try {
    // A name of its own: the bundler treats *.node files in another way.
    copyFileSync(library, `${folder}/libzmq.so`);
    const specifier = (path: string): string => JSON.stringify(`./${relative(folder, path)}`);
    writeFileSync(
      `${folder}/entry.ts`,
      `import libzmq from "./libzmq.so" with { type: "file" };
import { embeddedLibrary } from ${specifier(`${repositoryRoot}/ffi/mod.ts`)};

embeddedLibrary(libzmq);
await import(${specifier(entry)});
`,
    );
    mkdirSync(dirname(out), { recursive: true });
    const command = [runtimeProgram("bun"), "build", "--compile", `${folder}/entry.ts`, "--outfile", out];
    const result = await runCommand(command, { timeoutMs: 300_000 });
    if (result.code !== 0) throw new Error(`${command.join(" ")}\n${result.output}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    args: process.argv.slice(2),
    options: {
      entry: { type: "string", default: "examples/service.ts" },
      out: { type: "string", default: "dist/zeromesh-service" },
      library: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(help);
    return 0;
  }
  const library = resolve(repositoryRoot, values.library ?? await libraryToEmbed());
  const out = resolve(repositoryRoot, values.out);
  await build(resolve(repositoryRoot, values.entry), out, library);
  console.log(`${values.out}: ${(statSync(out).size / 2 ** 20).toFixed(0)} MiB, carries ${library}`);
  return 0;
}

killAllOnSignals();
try {
  process.exit(await main());
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
