import { expect, test } from "bun:test";
import { option, type OptionTable, readOptions, withDefaults } from "../../src/core/mod.ts";
import { readKeyPair } from "../../src/mod.ts";

interface Inner {
  attempts?: number;
}

interface Options {
  timeoutMs?: number;
  name?: string;
  retry?: Inner;
  payload?: unknown;
}

const table: OptionTable<Options> = {
  timeoutMs: option.timeout,
  name: option.text,
  retry: option.options<Inner>({ attempts: option.whole(1, 9) }),
  payload: option.value,
};

const read = (given: unknown): Options => readOptions(given as Options, table, "Cannot wait", "x");

test("readOptions() returns what was given where nothing has to be changed, and makes nothing", () => {
  const given: unknown = { timeoutMs: 5, name: undefined, retry: { attempts: 2 }, payload: null };
  expect(read(given) as unknown).toBe(given);
  expect(read(undefined)).toBe(read(null));
  expect(Object.keys(read(undefined))).toEqual([]);
});

test("withDefaults() fills in what is not given, and takes over the options of the table alone", () => {
  const defaults = {
    timeoutMs: option.timeout.or(30),
    name: option.text,
    retry: option.options<Inner>({ attempts: option.whole(1, 9) }),
    payload: option.value.or("nothing"),
  } satisfies OptionTable<Options>;
  const given = { timeoutMs: 0, name: undefined, payload: null, other: 7 };
  const all: unknown = withDefaults<Options, typeof defaults>(given as unknown as Options, defaults);
  expect(all).toEqual({ timeoutMs: 0, name: undefined, retry: undefined, payload: null });
  const filled = withDefaults({} as Options, defaults);
  const timeoutMs: number = filled.timeoutMs;
  expect([timeoutMs, filled.payload]).toEqual([30, "nothing"]);
  // The kind itself has no default: others use it as well.
  expect(option.timeout.fallback).toBeUndefined();
});

test("readOptions() changes a copy: null is left out, an endless time is Infinity, also inside an option", () => {
  const mark = Symbol("mark");
  const given = { timeoutMs: 2 ** 60, name: null, retry: { attempts: null }, payload: null, [mark]: 7 };
  const options = read(given);
  expect(options.timeoutMs).toBe(Infinity);
  expect(options.name).toBeUndefined();
  expect(options.retry?.attempts).toBeUndefined();
  expect(options.payload).toBeNull();
  expect((options as Record<symbol, unknown>)[mark]).toBe(7);
  expect(given).toEqual({
    timeoutMs: 2 ** 60,
    name: null,
    retry: { attempts: null },
    payload: null,
    [mark]: 7,
  });
  expect(read({ timeoutMs: 2 ** 53 }).timeoutMs).toBe(2 ** 53);
});

test("readOptions() refuses names that objects inherit, what a prototype brings, and an AbortSignal", () => {
  const wrong: readonly [unknown, RegExp][] = [
    [{ toString: 1 }, /there is no option "toString" \(there are name, payload, retry, timeoutMs\)/],
    [JSON.parse('{"__proto__": 1}'), /there is no option "__proto__"/],
    [Object.create({ timeoutMs: NaN }), /timeoutMs must be a number of milliseconds, got NaN/],
    [new AbortController().signal, /there is no option "aborted"/],
    [[], /options must be an object, got an array/],
    ["text", /options must be an object, got a string/],
    [{ retry: { atempts: 1 } }, /no option "retry\.atempts", did you mean "retry\.attempts"\?/],
    [{ retry: "twice" }, /retry must be an object, got a string/],
    [{ retry: { attempts: 10 } }, /retry\.attempts must be an integer between 1 and 9, got 10/],
  ];
  for (const [given, message] of wrong) {
    expect(() => read(given)).toThrow(message);
    expect(() => read(given)).toThrow(/^Cannot wait "x": /);
  }
});

test("readKeyPair() refuses what is no path", () => {
  for (const path of [5, "", null, {}]) {
    expect(() => readKeyPair(path as string)).toThrow(/Cannot read a key pair: path must be a string/);
  }
});
