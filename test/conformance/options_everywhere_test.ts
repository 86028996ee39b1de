/** Whatever takes options refuses wrong ones in the same way, and takes `null` and endless times in the same way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { leakCheck } from "../support/fixture.ts";
import { optionEntries } from "../support/option_entries.ts";
import { type OptionEntry, type OptionScene, optionScene } from "../support/option_scene.ts";

/** The error that a call of an entry throws or rejects with; null for none. */
async function failureOf(entry: OptionEntry, scene: OptionScene, options: unknown): Promise<unknown> {
  try {
    await entry.call(scene, options as never);
    return null;
  } catch (error) {
    return error ?? new Error("it failed with nothing");
  }
}

async function refused(
  entry: OptionEntry,
  scene: OptionScene,
  options: unknown,
  Failure: ErrorConstructor,
  ...parts: readonly string[]
): Promise<void> {
  const error = await failureOf(entry, scene, options);
  const what = `${entry.name} with ${parts.join(" ")}: ${String(error)}`;
  assert.ok(error instanceof Failure, what);
  assert.match(error.message, /^Cannot /, what);
  for (const part of parts) assert.ok(error.message.includes(part), what);
}

async function taken(entry: OptionEntry, scene: OptionScene, options: unknown, what: string): Promise<void> {
  const error = await failureOf(entry, scene, options);
  assert.equal(
    error,
    null,
    `${entry.name} with ${what}: ${error instanceof Error ? error.stack : String(error)}`,
  );
}

/** Options whose value may be of any type. */
const values: readonly string[] = ["payload", "metadata", "args"];

test("an unknown option is refused, with the name that was meant", async () => {
  await using t = await leakCheck();
  const scene = await optionScene(t);
  for (const entry of optionEntries) {
    const needs = entry.needs?.(scene) ?? {};
    for (const name of entry.options) {
      await refused(
        entry,
        scene,
        { ...needs, [`${name}x`]: 1 },
        TypeError,
        `"${name}x"`,
        `did you mean "${name}"?`,
      );
    }
    for (const [outer, names] of Object.entries(entry.nested ?? {})) {
      for (const name of names) {
        const options = { ...needs, [outer]: { [`${name}x`]: 1 } };
        await refused(entry, scene, options, TypeError, `did you mean "${outer}.${name}"?`);
      }
    }
    await refused(entry, scene, { ...needs, colour: "blue" }, TypeError, 'no option "colour" (there are ');
  }
});

test("options of the wrong type or out of their range are refused by name, and so is what is no object of options", async () => {
  await using t = await leakCheck();
  const scene = await optionScene(t);
  const wrong = Symbol("wrong");
  for (const entry of optionEntries) {
    const needs = entry.needs?.(scene) ?? {};
    for (const name of entry.options) {
      if (values.includes(name)) continue;
      await refused(entry, scene, { ...needs, [name]: wrong }, TypeError, name, "must be");
    }
    for (const [outer, names] of Object.entries(entry.nested ?? {})) {
      for (const name of names) {
        await refused(
          entry,
          scene,
          { ...needs, [outer]: { [name]: wrong } },
          TypeError,
          `${outer}.${name} must be`,
        );
      }
    }
    for (const name of entry.options.filter((one) => /Ms$|^max/.test(one))) {
      await refused(entry, scene, { ...needs, [name]: NaN }, TypeError, `${name} must be`, "got NaN");
      if (entry.timeouts?.includes(name)) continue;
      await refused(entry, scene, { ...needs, [name]: -1 }, RangeError, `${name} must be`, "got -1");
    }
    for (const options of [5, "text", [], true]) await refused(entry, scene, options, TypeError);
  }
});

test("null and undefined mean that an option, or all of them, are not given", async () => {
  // Back ends watch folders here, for which Bun opens a descriptor once and keeps it.
  await using t = await leakCheck({ descriptors: false });
  const scene = await optionScene(t);
  for (const entry of optionEntries) {
    const needs = entry.needs?.(scene);
    for (const value of [null, undefined]) {
      const names = entry.options.filter((name) => !values.includes(name));
      const options = { ...Object.fromEntries(names.map((name) => [name, value])), ...needs };
      await taken(entry, scene, options, `every option ${value}`);
      for (const [outer, inner] of Object.entries(entry.nested ?? {})) {
        if (needs !== undefined && outer in needs || partial.includes(outer)) continue;
        const nested = { [outer]: Object.fromEntries(inner.map((name) => [name, value])) };
        await taken(entry, scene, { ...needs, ...nested }, `every option of ${outer} ${value}`);
      }
      if (needs === undefined) await taken(entry, scene, value, `${value} for options`);
    }
  }
});

/** Options of which a part must be given. */
const partial: readonly string[] = ["curve", "dispatch", "rate", "auth", "failurePolicy"];

test("Infinity and what is above 2^53 mean that there is no deadline", async () => {
  await using t = await leakCheck();
  const scene = await optionScene(t);
  for (const entry of optionEntries) {
    const needs = entry.needs?.(scene) ?? {};
    for (const name of [...entry.timeouts ?? [], ...entry.durations ?? []]) {
      for (const value of [Infinity, 2 ** 60]) {
        await taken(entry, scene, { ...needs, [name]: value }, `${name} of ${value}`);
      }
    }
  }
});
