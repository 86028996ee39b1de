import { checkChannelName } from "../names.ts";
import { isObject, type JsonObject } from "./frames.ts";

/** Why a request is refused, where it is no error of the registry. */
export class Refusal extends Error {
  /** The `error_code` of the answer. */
  readonly code: string;
  /** The field that is wrong; null if it is not one. */
  readonly field: string | null;

  constructor(code: string, message: string, field: string | null = null) {
    super(message);
    this.name = "Refusal";
    this.code = code;
    this.field = field;
  }
}

const longestText = 256;

/** The fields of a request's body. What is missing, null or empty text was not given. */
export class Fields {
  readonly #body: JsonObject;

  constructor(body: JsonObject) {
    this.#body = body;
  }

  /** Whether a field is there at all, also as an empty text. */
  has(name: string): boolean {
    return Object.hasOwn(this.#body, name);
  }

  /** A field as it is; undefined if it was not given. */
  raw(name: string): unknown {
    const value = this.has(name) ? this.#body[name] : undefined;
    return value === null || value === "" ? undefined : value;
  }

  /** A text under one of its names. */
  text(names: readonly string[], most: number = longestText): string | null {
    for (const name of names) {
      const value = this.raw(name);
      if (value === undefined) continue;
      if (typeof value !== "string") throw invalid(name, "is no text");
      if (value.length > most) throw invalid(name, `has more than ${most} characters`);
      return value;
    }
    return null;
  }

  /** A text that must be there. */
  required(names: readonly string[], most: number = longestText): string {
    return this.text(names, most) ?? missing(names[0]!);
  }

  /** The name of a channel. @throws {ZeromeshError} `NAME_INVALID`. */
  channel(type: string): string {
    const name = this.required(["channel_name", "target_channel"], 4_096);
    checkChannelName(name, `Cannot answer ${type}`);
    return name;
  }

  /** A whole number from 0 on. */
  whole(names: readonly string[]): number | null {
    for (const name of names) {
      const value = this.raw(name);
      if (value === undefined) continue;
      if (!Number.isSafeInteger(value) || (value as number) < 0) throw invalid(name, "is no whole number");
      return value as number;
    }
    return null;
  }

  flag(name: string): boolean | null {
    const value = this.raw(name);
    if (value !== undefined && typeof value !== "boolean") throw invalid(name, "is neither true nor false");
    return value ?? null;
  }

  object(name: string): JsonObject | null {
    const value = this.raw(name);
    if (value !== undefined && !isObject(value)) throw invalid(name, "is no object");
    return value ?? null;
  }

  /** One of some texts. */
  oneOf<T>(names: readonly string[], values: Readonly<Record<string, T>>): T | null {
    const text = this.text(names);
    if (text === null) return null;
    if (!Object.hasOwn(values, text)) {
      throw invalid(names[0]!, `is none of ${Object.keys(values).join(", ")}`);
    }
    return values[text]!;
  }
}

/** The refusal of a field. */
export function invalid(field: string, why: string): Refusal {
  return new Refusal("INVALID_REQUEST", `${field} ${why}`, field);
}

function missing(field: string): never {
  throw invalid(field, "is missing");
}
