/** Who may do more than list actors. */
import { expect, test } from "bun:test";
import { requireAdministrator } from "../../src/actors/management/administrators.ts";
import type { ProvenOrigin } from "../../src/messenger/mod.ts";

const admin = "a".repeat(40);
const guest = "g".repeat(40);

const outcomes: readonly [
  what: string,
  origin: ProvenOrigin,
  allowed: boolean,
][] = [
  ["the instance itself", { key: null, own: true, local: false }, true],
  ["an administrator's key, from wherever", { key: admin, own: false, local: false }, true],
  ["another key, also from this host", { key: guest, own: false, local: true }, false],
  ["no key, from this host", { key: null, own: false, local: true }, true],
  ["no key, from another host", { key: null, own: false, local: false }, false],
];

for (const [what, origin, allowed] of outcomes) {
  test(`requireAdministrator() ${allowed ? "lets in" : "refuses"} ${what}`, () => {
    const run = () => requireAdministrator(origin, new Set([admin]), "stop");
    if (allowed) expect(run()).toBeUndefined();
    else expect(run).toThrow(expect.objectContaining({ code: "FORBIDDEN" }));
  });
}
