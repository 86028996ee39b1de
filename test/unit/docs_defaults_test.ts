import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { systemOptionTable } from "../../src/actors/options/system_options.ts";
import { mailboxOptionTable, spawnOptionTable } from "../../src/actors/options/spawn_options.ts";
import { cohortOptionTable } from "../../src/cohort/options.ts";
import type { OptionKind } from "../../src/core/mod.ts";
import { eventOptionTable } from "../../src/events/options.ts";
import { executorOptionTable } from "../../src/executor/options.ts";
import { coreOptionTable } from "../../src/messenger/mod.ts";
import { repositoryRoot } from "../support/runtime.ts";

const tables: Readonly<Record<string, Readonly<Record<string, OptionKind<unknown>>>>> = {
  "messenger/core_options.ts": coreOptionTable,
  "events/options.ts": eventOptionTable,
  "cohort/options.ts": cohortOptionTable,
  "executor/options.ts": executorOptionTable,
  "actors/options/system_options.ts": systemOptionTable,
  "actors/options/spawn_options.ts": { ...mailboxOptionTable, ...spawnOptionTable },
};

for (const [file, table] of Object.entries(tables)) {
  test(`the docstring of each option in ${file} names the default that its table has`, () => {
    const source = readFileSync(`${repositoryRoot}/src/${file}`, "utf8");
    const documented = new Map<string, string>();
    // Of several interfaces the first one is the table's.
    for (const [, text = "", name = ""] of source.matchAll(/@default \{([^}]+)\}[^?]*?\n {2}(\w+)\?:/g)) {
      if (!documented.has(name)) documented.set(name, text);
    }
    for (const [name, { fallback }] of Object.entries(table)) {
      const text = documented.get(name);
      if (text === undefined || (typeof fallback !== "number" && typeof fallback !== "string")) continue;
      documented.delete(name);
      assert.equal(
        text.split(": ")[0],
        typeof fallback === "string" ? JSON.stringify(fallback) : numberText(fallback),
        name,
      );
    }
    // Those left have their default in words or elsewhere.
    for (const [name, text] of documented) {
      if (name in table) assert.doesNotMatch(text, /^[\d_]+$/, name);
    }
  });
}

function numberText(value: number): string {
  return value === Infinity ? "Infinity" : value.toLocaleString("en").replaceAll(",", "_");
}
