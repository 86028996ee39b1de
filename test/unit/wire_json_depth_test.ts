import { expect, test } from "bun:test";
import { nestsDeeper } from "../../src/wire/json_depth.ts";
import { decodePayload, parseControlJson } from "../../src/wire/mod.ts";
import { prng } from "../support/prng.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const { below } = prng("the depth of JSON");

/** Pieces of strings that could be taken for something else. */
const pieces = [
  "[",
  "{",
  "]",
  "}",
  '"',
  "\\",
  "a",
  "ü🌍",
  "\n",
  "[".repeat(40),
  "\\".repeat(33),
  '"'.repeat(31),
];

function text(): string {
  return Array.from({ length: below(12) }, () => pieces[below(pieces.length)]).join("");
}

/** A value and how deep it lies. */
function value(deepest: number): [value: unknown, depth: number] {
  if (deepest === 0 || below(6) === 0) return [below(2) === 0 ? text() : below(1_000), 0];
  const items = Array.from({ length: below(4) }, () => value(deepest - 1));
  const depth = 1 + Math.max(0, ...items.map(([, depth]) => depth));
  const values = items.map(([item]) => item);
  return [below(2) === 0 ? values : Object.fromEntries(values.map((item) => [text(), item])), depth];
}

/** Measures the depth of a value by walking over it. */
function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

test("nestsDeeper() counts brackets outside of strings, whatever the strings hold", () => {
  for (let i = 0; i < 3_000; i++) {
    const [made] = value(7);
    const json = bytes(JSON.stringify(made, null, below(3)));
    const depth = depthOf(made);
    for (const limit of [0, 1, depth - 1, depth, depth + 1]) {
      if (limit >= 0) expect(nestsDeeper(json, limit)).toBe(depth > limit);
    }
  }
});

test("decodePayload() refuses JSON nested deeper than 256, as it does MessagePack", () => {
  for (const [open, close] of [["[", "]"], ['{"a":', "}"]] as const) {
    const deep = (depth: number) =>
      decodePayload(bytes(open.repeat(depth) + "1" + close.repeat(depth)), "json");
    expect(deep(256).error).toBeUndefined();
    expect(deep(257).error).toBe("not a JSON value: it nests deeper than 256");
    expect(deep(100_000).error).toBe("not a JSON value: it nests deeper than 256");
  }
  expect(decodePayload(bytes(JSON.stringify("[".repeat(1_000))), "json").value).toBe("[".repeat(1_000));
});

test("decodePayload() gives back flat JSON of every length around the limit, and what ends in the middle is an error", () => {
  for (let length = 500; length < 530; length++) {
    const made = "x".repeat(length);
    expect(decodePayload(bytes(JSON.stringify([made])), "json").value).toEqual([made]);
    expect(decodePayload(bytes(`["${made}`), "json").error).toBeString();
    expect(decodePayload(bytes(`["${made}\\`), "json").error).toBeString();
    expect(decodePayload(bytes(`["${made}\\"`), "json").error).toBeString();
  }
});

test("parseControlJson() takes 64 levels and no more, as text and as bytes", () => {
  const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  for (const as of [(text: string) => text, bytes]) {
    expect(parseControlJson(as(deep(64)))).toBeDefined();
    expect(parseControlJson(as(deep(65)))).toBeUndefined();
  }
});
