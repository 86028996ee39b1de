/** The guide of `zeromesh/zmq` names all that there is. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "../support/testing.ts";
import { repositoryRoot } from "../support/runtime.ts";
import * as zmq from "zeromesh/zmq";
import * as drafts from "zeromesh/zmq/draft";

const page = readFileSync(`${repositoryRoot}/docs/guides/zeromq.md`, "utf8");

function missing(names: Iterable<string>): string[] {
  return [...names].filter((name) => !page.includes(`\`${name}\``) && !page.includes(`\`${name}(`));
}

/** The members of a class that its users see. */
function membersOf(Class: { readonly prototype: object }): string[] {
  const names: string[] = [];
  for (
    let prototype = Class.prototype;
    prototype !== Object.prototype;
    prototype = Object.getPrototypeOf(prototype)
  ) {
    names.push(...Object.getOwnPropertyNames(prototype));
  }
  return names.filter((name) => name !== "constructor" && !/^[gs]et\w+Option$/.test(name));
}

test("the guide names every export, and every member of the classes", () => {
  const all = { ...zmq, ...drafts };
  assert.deepEqual(missing(Object.keys(all).filter((name) => name !== "Socket")), []);
  for (const value of Object.values(all)) {
    if (typeof value !== "function" || value === zmq.curveKeyPair) continue;
    assert.deepEqual(missing(membersOf(value as { prototype: object })), [], value.name);
  }
});

test("the guide names every event", () => {
  const source = readFileSync(`${repositoryRoot}/src/zmq/events.ts`, "utf8");
  const types = new Set([...source.matchAll(/EventFor<"([\w:]+)"/g)].map(([, type = ""]) => type));
  assert.equal(types.size, 16);
  assert.deepEqual(missing(types), []);
});
