/**
 * Stands in for `@std/assert` where its registry cannot be reached: the few functions that these tests use, with
 * the same meaning, over `node:assert`. The test runner says which of the two was used.
 */
import { AssertionError, deepStrictEqual } from "node:assert/strict";

/** Fails unless the value is truthy. */
export function assert(value: unknown, message = "Expected a truthy value"): asserts value {
  if (!value) throw new AssertionError({ message });
}

/** Fails unless both values are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, message?: string): void {
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    const difference = error instanceof Error ? error.message : String(error);
    throw new AssertionError({ message: message === undefined ? difference : `${message}\n${difference}` });
  }
}

/** Fails unless the text matches. */
export function assertMatch(actual: string, expected: RegExp): void {
  assert(expected.test(actual), `${expected} does not match:\n${actual}`);
}

/** Fails unless the text holds the other. */
export function assertStringIncludes(actual: string, expected: string): void {
  assert(actual.includes(expected), `${JSON.stringify(expected)} is not in:\n${actual}`);
}
