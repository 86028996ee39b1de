/** Deepest nesting of arrays, objects, maps and sets in a payload, in either encoding. */
export const maxPayloadDepth = 256;

/** The error's text for a payload that nests deeper. */
export const nestsTooDeep: string = `it nests deeper than ${maxPayloadDepth}`;

/** The keys on the path from the outermost value to the current one. */
export type Trail = (string | number)[];

/** A value, or a part of it, cannot be encoded. */
export class Unencodable extends TypeError {
  /** Path in the value, such as `deep.1`; empty for the value itself. */
  readonly path: string;

  /**
   * @param path Path in the value.
   * @param why The value's kind, and why it cannot be sent.
   */
  constructor(path: string, why: string) {
    super(`${path === "" ? "it" : path} is ${why}`);
    this.path = path;
  }
}

/** The error about the value at the end of a trail. */
export function unencodable(trail: Trail, depth: number, why: string): Unencodable {
  const steps = trail.slice(0, depth);
  const shown = steps.length <= 12 ? steps : [...steps.slice(0, 6), "…", ...steps.slice(-5)];
  return new Unencodable(shown.map((step) => String(step).slice(0, 100)).join("."), why);
}

/** The error about a value nested too deep, which includes cycles. */
export function nestedTooDeep(root: unknown, trail: Trail): Unencodable {
  const seen = new Map<unknown, number>();
  let value = root;
  for (let depth = 0; depth < trail.length && typeof value === "object" && value !== null; depth++) {
    const first = seen.get(value);
    if (first !== undefined) {
      const whole = trail.slice(0, first).join(".") || "the whole value";
      return unencodable(trail, depth, `a cycle: it is ${whole} again`);
    }
    seen.set(value, depth);
    value = (value as Record<string | number, unknown>)[trail[depth] as string | number];
  }
  return unencodable(trail, maxPayloadDepth, `nested deeper than ${maxPayloadDepth} levels`);
}

/** The kind of a value, for a message: `a Map`, `a bigint`, `an instance of Order`. */
export function kindOf(value: unknown): string {
  if (typeof value !== "object" || value === null) {
    return typeof value === "number" || value === undefined || value === null
      ? String(value)
      : `a ${typeof value}`;
  }
  const tag = tagOf(value);
  if (tag !== "Object") return /^[AEIO]/.test(tag) ? `an ${tag}` : `a ${tag}`;
  const name: unknown = (Object.getPrototypeOf(value) as { constructor?: { name?: unknown } } | null)
    ?.constructor?.name;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an instance of a class";
}

/** The built-in kind of an object, of whichever realm. */
export function tagOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}

/** Whether an object is plain: made by a literal, by a parser, or without a prototype. */
export function isPlain(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // Another realm's Object.prototype, such as that of node:vm.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "hasOwnProperty");
}
