import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { messengerDefaults } from "../../src/messenger/mod.ts";
import { repositoryRoot } from "../support/runtime.ts";

test("the docstring of each messenger option names the default that it has", () => {
  const source = readFileSync(`${repositoryRoot}/src/messenger/options.ts`, "utf8");
  const documented = new Map(
    [...source.matchAll(/@default \{([^}]+)\}[^?]*?\n {2}(\w+)\?:/g)].map((
      [, text = "", name = ""],
    ) => [name, text]),
  );
  for (const [name, value] of Object.entries(messengerDefaults)) {
    const text = documented.get(name);
    if (text === undefined) continue;
    documented.delete(name);
    assert.equal(text, typeof value === "string" ? JSON.stringify(value) : numberText(value), name);
  }
  // Those left have their default in words or elsewhere.
  for (const [name, text] of documented) assert.doesNotMatch(text, /^[\d_]+$/, name);
});

function numberText(value: number): string {
  return value === Infinity ? "Infinity" : value.toLocaleString("en").replaceAll(",", "_");
}
