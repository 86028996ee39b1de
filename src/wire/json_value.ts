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
 * The text of `JSON.stringify`, if it represents the value exactly.
 *
 * Values that JSON would drop or replace are refused with their path. Only properties that are `undefined` are left
 * out, and −0 is written as 0.
 *
 * @throws {Unencodable} With the path of the value that has no JSON form.
 */
export function stringifyJson(value: unknown): string {
  if (typeof value === "object" ? value !== null : !isSimple(value)) {
    // Reused, since making one costs as much as a small check; not after a failure.
    const check = spare ?? new JsonCheck();
    spare = null;
    check.root(value);
    spare = check;
  }
  return JSON.stringify(value);
}

/** Built-in kinds that `JSON.stringify` would turn into an empty object or another value. */
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

/** A walk over a value before it becomes JSON. */
class JsonCheck {
  #root: unknown = undefined;
  readonly #trail: Trail = [];

  /** Checks a whole value. */
  root(value: unknown): void {
    this.#root = value;
    this.value(value, 0);
    this.#root = undefined;
  }

  /** Checks a value; the first `depth` entries of the trail are its keys. */
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
    // Faster than Object.keys on both engines. Inherited keys are not in the JSON.
    for (const key in value) {
      const item = (value as Record<string, unknown>)[key];
      if (isSimple(item) || item === undefined || !Object.hasOwn(value, key)) continue;
      trail[depth] = key;
      this.value(item, depth + 1);
    }
  }

  /** Refuses an object whose JSON would be incomplete. */
  #instance(value: object, depth: number): void {
    const tag = tagOf(value);
    const lost = refusedTags.has(tag) || ArrayBuffer.isView(value) ||
      (tag !== "Object" && Object.keys(value).length === 0);
    if (lost) throw this.#refused(value, depth);
  }

  /** Checks the result of a value's `toJSON`. */
  #converted(value: object | bigint, toJSON: (key: string) => unknown, depth: number): void {
    if (ArrayBuffer.isView(value)) throw this.#refused(value, depth);
    if (toJSON === Date.prototype.toJSON) {
      if (Number.isNaN(Number(value))) throw unencodable(this.#trail, depth, refusal("an invalid Date"));
      return;
    }
    const made = toJSON.call(value, depth === 0 ? "" : String(this.#trail[depth - 1]));
    // A property may be left out; elsewhere JSON would hold null.
    if (made === undefined && depth > 0 && typeof this.#trail[depth - 1] === "string") return;
    if (made === undefined || typeof made === "bigint") {
      throw unencodable(this.#trail, depth, refusal(`${kindOf(value)} whose toJSON() gives ${kindOf(made)}`));
    }
    // JSON.stringify calls toJSON only once.
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
  // The difference is 0 for finite numbers only, and needs no call.
  return typeof value === "string" || (typeof value === "number" && value - value === 0) ||
    typeof value === "boolean";
}

function refusal(kind: string): string {
  return `${kind}, which JSON cannot carry`;
}
