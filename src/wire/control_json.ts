import { nestsDeeper } from "./json_depth.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";

/** Longest control message accepted, in bytes (of a string: in UTF-16 units). */
export const maxControlJsonBytes = 1_048_576;

/** Deepest nesting of arrays and objects accepted in a control message. */
export const maxControlJsonDepth = 64;

// Both runtimes have source-text access and raw JSON, but TypeScript's library does not yet.
type SourceReviver = (
  key: string,
  value: unknown,
  context?: { readonly source?: string | undefined },
) => unknown;
const parseWithSource = JSON.parse as (text: string, reviver?: SourceReviver) => unknown;
const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON;

const integerText = /^-?[0-9]+$/;
/** Integers beyond 2^53 have at least this many digits. Most messages have none, and need no reviver. */
const longNumber = /[0-9]{16}/;

/** Options of {@link parseControlJson}. */
export interface ControlJsonOptions {
  /** Longest text accepted. @default {1_048_576} */
  maxBytes?: number | undefined;
}

/**
 * Parses a control message: JSON in which worker ids, event handles and response ids are bare integers of 64 or
 * 128 bits.
 *
 * Integers beyond 2^53 - 1 become `bigint`, all other numbers `number`. Never throws: size and nesting are checked
 * before parsing, and invalid JSON gives `undefined`. Users' payloads are plain JSON and not parsed here.
 */
export function parseControlJson(
  text: string | Uint8Array,
  options: ControlJsonOptions = {},
): unknown | undefined {
  if (text.length > (options.maxBytes ?? maxControlJsonBytes)) return undefined;
  const bytes = typeof text === "string" ? encodeUtf8(text) : text;
  if (nestsDeeper(bytes, maxControlJsonDepth)) return undefined;
  const source = typeof text === "string" ? text : decodeUtf8(text, 0, text.length);
  if (source === null) return undefined;
  try {
    return longNumber.test(source) ? parseWithSource(source, revive) : JSON.parse(source) as unknown;
  } catch {
    return undefined;
  }
}

function revive(_key: string, value: unknown, context?: { readonly source?: string | undefined }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && integerText.test(source) ? BigInt(source) : value;
}

/**
 * The JSON text of a control message, with each `bigint` as a bare integer. `undefined` gives `null`.
 *
 * @throws {TypeError} If the value has a cycle.
 */
export function stringifyControlJson(value: unknown): string {
  const text: string | undefined = JSON.stringify(
    value,
    (_key, item: unknown) => typeof item === "bigint" ? rawJson(item.toString()) : item,
  );
  return text ?? "null";
}

/** An integer of a control message from 0 to `end`, exclusive; null for another value. */
export function integerBelow(value: unknown, end: bigint): bigint | null {
  const bits = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  return typeof bits === "bigint" && bits >= 0n && bits < end ? bits : null;
}
