/** The page of the broker's protocol. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { repositoryRoot } from "../support/runtime.ts";
import { brokerProtocolPage } from "../../tools/build_broker_protocol.ts";

/** A page without what the formatter does to tables. */
const plain = (page: string): string => page.replaceAll(/[ ]+/g, " ").replaceAll(/-{3,}/g, "---");

test("docs/guides/broker-protocol.md is made from the schemas; bun run docs:broker makes it", () => {
  const page = readFileSync(`${repositoryRoot}/docs/guides/broker-protocol.md`, "utf8");
  assert.equal(plain(page), plain(brokerProtocolPage()));
});
