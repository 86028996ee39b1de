/**
 * Compiles a program into one file that carries Bun and libzmq with it and needs neither on the machine:
 * `bun run tools/build_binary.ts --help`.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { type LibraryInfo, openBackend } from "../ffi/mod.ts";
import { repositoryRoot, runtimeProgram } from "../test/support/runtime.ts";
import { licensesText } from "./licenses.ts";
import { killAllOnSignals, runCommand } from "./run_command.ts";

const help = `Compiles a program into one executable with libzmq inside.

bun run tools/build_binary.ts [options]

  --entry FILE     the program (examples/service.ts)
  --out FILE       the executable (dist/zeromesh-service)
  --library FILE   the libzmq to carry; without it the one that the npm package zeromq brought
  --help           this text

The executable is for machines like this one: the same system, processor and C library. Besides what the program
itself understands it takes --licenses, which prints the licences of everything it carries.`;

/** The libzmq to embed: the one that was named, else the one that the npm package zeromq brought. */
async function libraryToEmbed(named: string | undefined): Promise<LibraryInfo> {
  const library = named === undefined ? undefined : resolve(repositoryRoot, named);
  const found = (await openBackend({ library, search: ["bundled"] })).library;
  if (!isAbsolute(found.path)) {
    throw new Error(`Cannot embed ${found.path}: give its path with --library`);
  }
  return found;
}

async function build(entry: string, out: string, library: LibraryInfo): Promise<void> {
  if (!existsSync(entry)) throw new Error(`Cannot compile ${entry}: it does not exist`);
  mkdirSync(`${repositoryRoot}/dist`, { recursive: true });
  // Inside the repository, so that tsconfig.json and node_modules are found from there.
  const folder = mkdtempSync(`${repositoryRoot}/dist/binary-`);
  try {
    // A name of its own: the bundler treats *.node files in another way.
    copyFileSync(library.path, `${folder}/libzmq.so`);
    writeFileSync(`${folder}/licenses.txt`, licensesText(library.version));
    const specifier = (path: string): string => JSON.stringify(`./${relative(folder, path)}`);
    writeFileSync(
      `${folder}/entry.ts`,
      `import libzmq from "./libzmq.so" with { type: "file" };
import licenses from "./licenses.txt" with { type: "text" };
import { embeddedLibrary } from ${specifier(`${repositoryRoot}/ffi/mod.ts`)};

if (process.argv.includes("--licenses")) {
  process.stdout.write(licenses);
} else {
  embeddedLibrary(libzmq);
  await import(${specifier(entry)});
}
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
  const library = await libraryToEmbed(values.library);
  const out = resolve(repositoryRoot, values.out);
  await build(resolve(repositoryRoot, values.entry), out, library);
  console.log(`${values.out}: ${(statSync(out).size / 2 ** 20).toFixed(0)} MiB, carries ${library.path}`);
  return 0;
}

killAllOnSignals();
try {
  process.exit(await main());
} catch (error) {
  console.error(`${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
