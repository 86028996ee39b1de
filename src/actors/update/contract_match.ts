import { type AnySchema, jsonSchemaOf } from "../../core/mod.ts";
import { type ActorContract, isBytes, longestSchema } from "../contract/contract.ts";

/**
 * What callers with one contract would lose if the actor had another one, for a text; null for nothing. Contracts are
 * compared by names and schemas, since an update brings a contract of its own. Messages may be added.
 */
export function lostWith(next: ActorContract, old: ActorContract): string | null {
  if (isBytes(old) !== isBytes(next) || old.name !== next.name) {
    return `its contract is "${next.name}", not "${old.name}"`;
  }
  if (old.encoding !== next.encoding) return `its encoding is "${next.encoding}", not "${old.encoding}"`;
  for (const [name, input] of Object.entries(old.tell)) {
    const lost = lostOf(`tell "${name}"`, [[input, next.tell[name], "input"]]);
    if (lost !== null) return lost;
  }
  for (const [name, { input, output }] of Object.entries(old.ask)) {
    const other = next.ask[name];
    const lost = lostOf(`ask "${name}"`, [[input, other?.input, "input"], [output, other?.output, "output"]]);
    if (lost !== null) return lost;
  }
  for (const [name, { fromOpener, toOpener }] of Object.entries(old.channel)) {
    const other = next.channel[name];
    const lost = lostOf(`channel "${name}"`, [
      [fromOpener, other?.fromOpener, "input"],
      [toOpener, other?.toOpener, "output"],
    ]);
    if (lost !== null) return lost;
  }
  return null;
}

type Pair = readonly [old: AnySchema, next: AnySchema | undefined, side: "input" | "output"];

function lostOf(what: string, pairs: readonly Pair[]): string | null {
  for (const [old, next, side] of pairs) {
    if (next === undefined) return `it has no ${what}`;
    const [before, after] = [textOf(old, side), textOf(next, side)];
    // A validator without JSON Schemas says nothing that could be compared.
    if (before !== after && before !== undefined && after !== undefined) {
      return `the schema of ${what} (${side}) is another one: ${after}, not ${before}`;
    }
  }
  return null;
}

function textOf(schema: AnySchema, side: "input" | "output"): string | undefined {
  return JSON.stringify(jsonSchemaOf(schema, side, longestSchema), (_key, value: unknown) => sorted(value));
}

/** An object with its keys in order, since their order means nothing. */
function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1));
}
