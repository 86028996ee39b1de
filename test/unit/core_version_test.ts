import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { libraryVersion } from "../../src/core/mod.ts";
import { repositoryRoot } from "../support/runtime.ts";

test("libraryVersion is the version of the package", () => {
  const { version } = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as {
    version: string;
  };
  assert.equal(libraryVersion, version);
});
