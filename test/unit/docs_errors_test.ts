import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { knownErrorCodes } from "zeromesh";
import { repositoryRoot } from "../support/runtime.ts";

test("docs/guides/errors.md has one line for every code, which says when and what to do", () => {
  const guide = readFileSync(`${repositoryRoot}/docs/guides/errors.md`, "utf8");
  const rows = [...guide.matchAll(/^\| +`([A-Z_]+)` +\| +(.*?) +\| +(.*?) +\|$/gm)];
  assert.deepEqual(rows.map(([, code = ""]) => code).sort(), [...knownErrorCodes].sort());
  for (const [, code = "", when = "", todo = ""] of rows) {
    assert.ok(when.length > 10 && todo.length > 5, code);
  }
});
