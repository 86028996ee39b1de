/** `npm run docs:api`: the documentation of all entry points as pages. */
import { assertEquals, assertMatch } from "@std/assert";
import { existsSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { mustRun } from "./package_project.ts";

Deno.test("docs:api writes a page for every entry point and for what it exports", async () => {
  const out = `${tmpdir()}/api`;
  const { exports, tasks } = JSON.parse(readFileSync(`${repositoryRoot}/deno.json`, "utf8")) as {
    exports: Record<string, string>;
    tasks: Record<string, string>;
  };
  const script = /^env bun run (\S+)$/.exec(tasks["docs:api"] ?? "")?.[1] ?? "";
  const text = await mustRun([runtimeProgram("bun"), "run", script, out], repositoryRoot);
  const count = Object.keys(exports).length;
  assertEquals(text, `${out}: ${count} entry points\n`);
  for (const key of Object.keys(exports)) {
    const page = `${out}/${key.replace(/^\.\/?/, "")}/index.html`;
    assertEquals(existsSync(page), true, page);
  }
  assertMatch(readFileSync(`${out}/all_symbols.html`, "utf8"), />Messenger</);
});
