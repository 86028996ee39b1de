import assert from "node:assert/strict";
import { matchesGlob } from "../../src/broker/glob.ts";
import { prng } from "../support/prng.ts";
import { test } from "../support/testing.ts";

test("a glob matches as the expression that says the same", () => {
  const random = prng("globs");
  const text = (letters: string, most: number) =>
    Array.from({ length: random.below(most + 1) }, () => letters[random.below(letters.length)]).join("");
  for (let round = 0; round < 20_000; round++) {
    const [glob, name] = [text("ab/.*?*", 7), text("aab/.", 7)];
    const source = glob.replaceAll(
      /\*\*|[*?/.]/g,
      (one) => ({ "**": "[^]*", "*": "[^/.]*", "?": "[^/.]" })[one] ?? `\\${one}`,
    );
    assert.equal(matchesGlob(glob, name), new RegExp(`^(?:${source})$`).test(name), `${glob} on ${name}`);
  }
});

test("the worst glob takes no longer than its lengths multiplied", () => {
  const started = performance.now();
  assert.equal(matchesGlob("**a".repeat(80) + "b", "a".repeat(255)), false);
  assert.equal(matchesGlob("*a".repeat(100) + "b", "a".repeat(255)), false);
  assert.equal(matchesGlob(`**${"*a".repeat(100)}b`, "a".repeat(255)), false);
  assert.ok(performance.now() - started < 1_000);
});
