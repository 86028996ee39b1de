/**
 * Builds the content of the npm package into `dist/lib`: ES modules with declarations, laid out like the sources
 * (`dist/lib/src/mod.js` comes from `src/mod.ts`). There are no source maps: a stack trace would name files that are
 * not in the package.
 *
 * `package.json` points its `exports` there, since Deno loads no TypeScript from `node_modules`. Inside the repository
 * they are unused: `deno.json` and `tsconfig.json` map `zeromesh` to the sources. `npm pack` runs this first
 * (`prepack`).
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import process from "node:process";
import { repositoryRoot, runtimeProgram } from "../test/support/runtime.ts";
import { killAllOnSignals, runCommand } from "./run_command.ts";

const out = "dist/lib";
const bun = runtimeProgram("bun");

/** A relative specifier that still ends in `.ts`; the compiler rewrites those in code, not in declarations. */
const sourceSpecifier = /((?:from|import)\s*\(?\s*")(\.{1,2}\/[^"]+)\.ts(")/g;

async function main(): Promise<void> {
  rmSync(`${repositoryRoot}/${out}`, { recursive: true, force: true });
  // With more threads the compiler checks the library's types once in each of them.
  const options = ["-p", "tools/tsconfig.build.json", "--pretty", "false", "--singleThreaded"];
  await run([bun, "node_modules/typescript/bin/tsc", ...options]);
  const files = readdirSync(`${repositoryRoot}/${out}`, { recursive: true }).map((name) =>
    `${out}/${String(name)}`
  );
  const declarations = files.filter((path) => path.endsWith(".d.ts"));
  for (const path of declarations) {
    const text = readFileSync(`${repositoryRoot}/${path}`, "utf8");
    writeFileSync(`${repositoryRoot}/${path}`, text.replace(sourceSpecifier, "$1$2.js$3"));
  }
  for (const { types } of Object.values(publishedEntries())) {
    // No edition of the language's library that a project may name has `AsyncDisposable`.
    const text = readFileSync(`${repositoryRoot}/${types}`, "utf8");
    writeFileSync(`${repositoryRoot}/${types}`, `/// <reference lib="esnext.disposable" />\n${text}`);
  }
  const modules = files.filter((path) => path.endsWith(".js"));
  for (const path of [...modules, ...declarations]) {
    const left = readFileSync(`${repositoryRoot}/${path}`, "utf8").match(sourceSpecifier);
    if (left !== null) throw new Error(`${path} still imports TypeScript: ${left.join(", ")}`);
  }
  for (const [name, { types, default: module }] of Object.entries(publishedEntries())) {
    for (const path of [types, module]) {
      if (!existsSync(`${repositoryRoot}/${path}`)) {
        throw new Error(`${name} leads to ${path}, which was not built`);
      }
    }
  }
  // In one process of each runtime: the error of a module that cannot be loaded names it.
  const loader = "dist/load_all.mjs";
  const imports = Object.values(publishedEntries()).map((entry) =>
    `import ${JSON.stringify(`${repositoryRoot}/${entry.default}`)};\n`
  );
  writeFileSync(`${repositoryRoot}/${loader}`, imports.join(""));
  await run([runtimeProgram("deno"), "run", "--no-prompt", "--quiet", loader]);
  await run([bun, "run", loader]);
  rmSync(`${repositoryRoot}/${loader}`);
  console.log(`${out}: ${modules.length} modules, every entry point loads on Bun and on Deno`);
}

function publishedEntries(): Record<string, { types: string; default: string }> {
  const manifest: unknown = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8"));
  return (manifest as { exports: Record<string, { types: string; default: string }> }).exports;
}

async function run(command: readonly string[]): Promise<void> {
  const result = await runCommand(command, { timeoutMs: 120_000 });
  if (result.code !== 0) throw new Error(`${command.join(" ")}\n${result.output}`);
}

killAllOnSignals();
try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
}
