import {
  kindOf,
  maxPayloadDepth,
  nestedTooDeep,
  tagOf,
  type Trail,
  type Unencodable,
  unencodable,
} from "./unencodable.ts";

/**
 * The text of a value as `JSON.stringify` writes it, where that says the same as the value.
 *
 * What JSON would leave out or replace is refused, with its place. Only properties that are `undefined`
 * are left out, and −0 is written as 0.
 *
 * @throws {Unencodable} With the place of what has no form in JSON.
 */
export function stringifyJson(value: unknown): string {
  if (typeof value === "object" ? value !== null : !isSimple(value)) {
    // Kept for the next value, as making one costs as much as a small check; one that fails is not kept.
    const check = spare ?? new JsonCheck();
    spare = null;
    check.root(value);
    spare = check;
  }
  return JSON.stringify(value);
}

/** Built-in kinds that `JSON.stringify` would make an empty object, or another value, of. */
const refusedTags = new Set([
  "Map",
  "Set",
  "WeakMap",
  "WeakSet",
  "WeakRef",
  "RegExp",
  "Error",
  "Promise",
  "ArrayBuffer",
  "SharedArrayBuffer",
  "Number",
  "String",
  "Boolean",
  "BigInt",
  "Symbol",
]);

let spare: JsonCheck | null = null;

/** One walk over a value before it becomes JSON. */
class JsonCheck {
  #root: unknown = undefined;
  readonly #trail: Trail = [];

  /** Checks a whole value. */
  root(value: unknown): void {
    this.#root = value;
    this.value(value, 0);
    this.#root = undefined;
  }

  /** Checks a value whose keys are in the trail, as many as `depth` says. */
  value(value: unknown, depth: number): void {
    if (value === null || isSimple(value)) return;
    if (typeof value === "object") this.#object(value, depth);
    else this.#rare(value, depth);
  }

  #object(value: object, depth: number): void {
    if (depth >= maxPayloadDepth) throw nestedTooDeep(this.#root, this.#trail);
    if (Array.isArray(value)) return this.#array(value, depth);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === "function") return this.#converted(value, toJSON as () => unknown, depth);
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) this.#instance(value, depth);
    this.#properties(value, depth);
  }

  #array(value: readonly unknown[], depth: number): void {
    const trail = this.#trail;
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      if (isSimple(item)) continue;
      trail[depth] = i;
      if (item === undefined && !(i in value)) {
        throw unencodable(trail, depth + 1, refusal("a hole in an array"));
      }
      this.value(item, depth + 1);
    }
  }

  #properties(value: object, depth: number): void {
    const trail = this.#trail;
    // Faster than Object.keys on both engines; what is inherited is no part of the JSON.
    for (const key in value) {
      const item = (value as Record<string, unknown>)[key];
      if (isSimple(item) || item === undefined || !Object.hasOwn(value, key)) continue;
      trail[depth] = key;
      this.value(item, depth + 1);
    }
  }

  /** Refuses an object of which JSON would hold less than it says. */
  #instance(value: object, depth: number): void {
    const tag = tagOf(value);
    const lost = refusedTags.has(tag) || ArrayBuffer.isView(value) ||
      (tag !== "Object" && Object.keys(value).length === 0);
    if (lost) throw this.#refused(value, depth);
  }

  /** Checks what `toJSON` makes of a value. */
  #converted(value: object | bigint, toJSON: (key: string) => unknown, depth: number): void {
    if (ArrayBuffer.isView(value)) throw this.#refused(value, depth);
    if (toJSON === Date.prototype.toJSON) {
      if (Number.isNaN(Number(value))) throw unencodable(this.#trail, depth, refusal("an invalid Date"));
      return;
    }
    const made = toJSON.call(value, depth === 0 ? "" : String(this.#trail[depth - 1]));
    // A property may be left out; elsewhere null would stand for it.
    if (made === undefined && depth > 0 && typeof this.#trail[depth - 1] === "string") return;
    if (made === undefined || typeof made === "bigint") {
      throw unencodable(this.#trail, depth, refusal(`${kindOf(value)} whose toJSON() gives ${kindOf(made)}`));
    }
    // JSON.stringify asks once, whatever comes.
    if (typeof made !== "object" || made === null) return this.value(made, depth);
    if (Array.isArray(made)) return this.#array(made, depth);
    const prototype: unknown = Object.getPrototypeOf(made);
    if (prototype !== Object.prototype && prototype !== null) this.#instance(made, depth);
    this.#properties(made, depth);
  }

  #rare(value: unknown, depth: number): void {
    if (typeof value === "bigint") {
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === "function") return this.#converted(value, toJSON as () => unknown, depth);
    }
    throw this.#refused(value, depth);
  }

  #refused(value: unknown, depth: number): Unencodable {
    return unencodable(this.#trail, depth, refusal(kindOf(value)));
  }
}

/** Whether a value is text, a finite number or a boolean. */
function isSimple(value: unknown): boolean {
  // A difference of itself is 0 for finite numbers alone, and costs no call.
  return typeof value === "string" || (typeof value === "number" && value - value === 0) ||
    typeof value === "boolean";
}

function refusal(kind: string): string {
  return `${kind}, which JSON cannot carry`;
}
