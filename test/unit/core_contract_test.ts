import { expect, test } from "bun:test";
import { z } from "zod";
import {
  type AnySchema,
  contract,
  describeIssues,
  errorText,
  isContract,
  issuePath,
  type SchemaIssue,
  type StandardSchema,
  systemContract,
  validate,
  ZeromeshError,
} from "../../src/core/mod.ts";

const untyped = (value: unknown) => value as never;
const schema = <In, Out>(
  check: StandardSchema<In, Out>["~standard"]["validate"],
): StandardSchema<In, Out> => ({ "~standard": { version: 1, vendor: "test", validate: check } });
const failure = (issues: readonly SchemaIssue[]) =>
  new ZeromeshError("PAYLOAD_INVALID", describeIssues(issues));

test("contract() keeps what it is given, frozen", () => {
  const input = z.string();
  const output = z.number();
  const data = z.object({ at: z.number() });
  const errors = { BROKEN: data, GONE: null };
  const made = contract("name", { input, output, errors, encoding: "msgpack" });
  expect(made.name).toBe("name");
  expect(made.input).toBe(input);
  expect(made.output).toBe(output);
  expect(made.errors).toEqual(errors);
  expect(made.encoding).toBe("msgpack");
  expect(Object.isFrozen(made)).toBeTrue();
  expect(Object.isFrozen(made.errors)).toBeTrue();
  errors.GONE = untyped(data);
  expect(made.errors["GONE"]).toBeNull();
});

test("contract() without output, errors and encoding is an am contract in JSON", () => {
  const made = contract("name", { input: z.null(), errors: undefined, encoding: undefined });
  expect(made.output).toBeUndefined();
  expect(made.errors).toEqual({});
  expect(made.encoding).toBe("json");
});

test("the library's own contracts may declare its codes, and users' may not", () => {
  const errors = { QUEUE_FULL: z.object({ again: z.boolean() }), CLOSED: null };
  expect(() => contract("add", { input: z.null(), errors })).toThrow(
    "the code QUEUE_FULL is the library's own",
  );
  const made = systemContract("add", { input: z.null(), errors });
  expect(made.errors).toEqual(errors);
  const error: unknown = new ZeromeshError("QUEUE_FULL", "full", {
    handler: "add",
    details: { again: true },
  });
  expect(made.isError(error, "QUEUE_FULL") && error.details.again).toBeTrue();
  expect(made.isError(error, "CLOSED")).toBeFalse();
  expect(() => systemContract("add", { input: z.null(), errors: { QUEUE_FULL: untyped(5) } })).toThrow(
    /"add": errors\.QUEUE_FULL must be/,
  );
});

test("contract() refuses what is no Standard Schema v1, naming the place", () => {
  const input: AnySchema = z.null();
  const wrong = [null, {}, 5, "text", () => {}, { "~standard": {} }, {
    "~standard": { version: 2, vendor: "x", validate: () => {} },
  }, { "~standard": { version: 1, vendor: "x" } }];
  for (const one of wrong) {
    expect(() => contract("add", { input: untyped(one) })).toThrow(/"add": input must be a Standard Schema/);
    if (one === null) continue;
    expect(() => contract("add", { input, output: untyped(one) })).toThrow(/"add": output must be/);
    expect(() => contract("add", { input, errors: { GONE: untyped(one) } })).toThrow(
      /"add": errors\.GONE must be/,
    );
  }
  expect(() => contract("add", { input, encoding: untyped("xml") })).toThrow(TypeError);
});

test("contract() takes schemas that are functions, as some validators have them", () => {
  const callable = Object.assign(() => {}, schema(() => ({ value: 1 })));
  expect(contract("name", { input: callable }).input).toBe(callable);
});

test("isContract() knows contracts from names and other values", () => {
  expect(isContract(contract("x", { input: z.null() }))).toBeTrue();
  for (const other of ["x", null, undefined, 5, {}, [], () => {}, { name: "x" }, { input: 1 }]) {
    expect(isContract(other)).toBeFalse();
  }
});

test("validate() answers at once where the validator does", () => {
  expect(validate(schema<string, number>((value) => ({ value: String(value).length })), "four", failure))
    .toBe(4);
  expect(() => validate(schema(() => ({ issues: [{ message: "no" }] })), 1, failure)).toThrow("no");
  expect(() => validate(schema(() => ({ issues: [] })), 1, failure)).toThrow(ZeromeshError);
  expect(validate(schema(() => ({ value: undefined })), 1, failure)).toBeUndefined();
});

test("validate() answers later where the validator does", async () => {
  const later = validate(schema<unknown, number>(() => Promise.resolve({ value: 5 })), 1, failure);
  expect(later).toBeInstanceOf(Promise);
  expect(await later).toBe(5);
  await expect(
    validate(schema(() => Promise.resolve({ issues: [{ message: "late no" }] })), 1, failure) as Promise<
      unknown
    >,
  )
    .rejects.toThrow("late no");
});

test("issuePath() writes a place as code does", () => {
  const paths: readonly (readonly [path: SchemaIssue["path"], text: string])[] = [
    [undefined, ""],
    [[], ""],
    [["a"], "a"],
    [["a", "b", "c"], "a.b.c"],
    [["items", 2, "price"], "items[2].price"],
    [[0], "[0]"],
    [[{ key: "a" }, { key: 1 }], "a[1]"],
    [["a", "0"], "a.0"],
    [[Symbol("s")], "Symbol(s)"],
  ];
  for (const [path, text] of paths) expect(issuePath({ message: "", path })).toBe(text);
});

test("describeIssues() names five and counts the rest", () => {
  const issues = Array.from({ length: 7 }, (_, i) => ({ message: `m${i}`, path: [`f${i}`] }));
  expect(describeIssues(issues)).toBe("f0: m0; f1: m1; f2: m2; f3: m3; f4: m4; and 2 more");
  expect(describeIssues(issues.slice(0, 5))).toBe("f0: m0; f1: m1; f2: m2; f3: m3; f4: m4");
  expect(describeIssues([{ message: "whole" }])).toBe("whole");
  expect(describeIssues([])).toBe("");
});

test("ZeromeshError carries its facts, with their defaults", () => {
  const cause = new Error("below");
  const full = new ZeromeshError("TIMEOUT", "late", {
    cause,
    peer: "p",
    handler: "h",
    ran: "maybe",
    details: { a: 1 },
  });
  expect(full).toBeInstanceOf(Error);
  expect(full.name).toBe("ZeromeshError");
  expect(full.message).toBe("late");
  expect([full.code, full.peer, full.handler, full.ran, full.details, full.cause]).toEqual([
    "TIMEOUT",
    "p",
    "h",
    "maybe",
    { a: 1 },
    cause,
  ]);
  const bare = new ZeromeshError("CLOSED", "");
  expect([bare.peer, bare.handler, bare.ran, bare.details]).toEqual([undefined, undefined, "no", undefined]);
  expect("cause" in bare).toBeFalse();
  expect(new ZeromeshError("CLOSED", "", { cause: undefined })).toHaveProperty("cause", undefined);
});

test("errorText() makes text of whatever was thrown", () => {
  expect(errorText(new Error("message"))).toBe("message");
  expect(errorText(new TypeError(""))).toBe("TypeError");
  expect(errorText("text")).toBe("text");
  expect(errorText(undefined)).toBe("undefined");
  expect(errorText(Symbol("s"))).toBe("Symbol(s)");
  expect(errorText(12n)).toBe("12");
  for (
    const nasty of [Object.create(null), { toString: () => ({}) }, {
      toString() {
        throw new Error("x");
      },
    }]
  ) {
    expect(errorText(nasty)).toBe("an error without a text");
  }
  expect(typeof errorText(Object.assign(new Error(), { message: 5 }))).toBe("string");
});
