/**
 * JSON Schema (2020-12) as a Standard Schema: in contracts, and as the `schema` of a handler.
 *
 * @example Usage
 * ```ts
 * import { contract } from "zeromesh";
 * import { jsonSchema } from "zeromesh/json-schema";
 *
 * const add = contract("add", {
 *   input: jsonSchema<{ a: number; b: number }>({
 *     type: "object",
 *     properties: { a: { type: "number" }, b: { type: "number" } },
 *     required: ["a", "b"],
 *   }),
 * });
 * ```
 *
 * @module
 */
import { Ajv2020, type AnySchemaObject, type ErrorObject } from "ajv/dist/2020.js";
import type { SchemaIssue, SchemaResult, StandardSchema } from "../core/mod.ts";

/** A JSON Schema as a JSON object, or `true` or `false`. */
export type JsonSchema = boolean | Readonly<Record<string, unknown>>;

/** A Standard Schema made from a JSON Schema, which it exposes. */
export interface JsonSchemaStandard<T> extends StandardSchema<T> {
  /** The standard's own property. */
  readonly "~standard": StandardSchema<T>["~standard"] & {
    /** Both return the JSON Schema. */
    readonly jsonSchema: { input(): JsonSchema; output(): JsonSchema };
  };
}

const options = { allErrors: true, strict: false, addUsedSchema: false } as const;
// Compiling the standard's meta-schema takes 40 ms, so one compiler checks all schemas; it keeps none of them.
const checker = new Ajv2020(options);

/**
 * Compiles a JSON Schema. Values are checked and not changed: no defaults, no conversion. References to other documents
 * are not followed, and `format` is not checked, as the standard specifies.
 *
 * Each schema has a compiler of its own, which is freed with its last user.
 *
 * @param schema The schema, draft 2020-12.
 * @typeParam T The type of its values; it is not compared with the schema.
 * @throws {TypeError} If it is not a valid JSON Schema.
 */
export function jsonSchema<T = unknown>(schema: JsonSchema): JsonSchemaStandard<T> {
  const kept = structuredClone(schema);
  const check = compile(kept);
  return Object.freeze({
    "~standard": Object.freeze({
      version: 1 as const,
      vendor: "zeromesh",
      validate: (value: unknown): SchemaResult<T> =>
        check(value)
          ? { value: value as T }
          : { issues: (check.errors ?? []).map((error) => issue(error, value)) },
      jsonSchema: Object.freeze({ input: () => kept, output: () => kept }),
    }),
  });
}

function compile(schema: JsonSchema) {
  try {
    if (!checker.validateSchema(schema as boolean | AnySchemaObject)) {
      throw new Error(checker.errorsText(checker.errors, { dataVar: "schema" }));
    }
    // A compiler keeps all that it compiled, with each $id: so each schema has its own.
    return new Ajv2020({ ...options, validateSchema: false }).compile(schema as boolean | AnySchemaObject);
  } catch (error) {
    throw new TypeError(
      `Cannot use this as a JSON Schema: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function issue(error: ErrorObject, value: unknown): SchemaIssue {
  const steps = error.instancePath.split("/").slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
  const path: PropertyKey[] = [];
  let at: unknown = value;
  for (const step of steps) {
    path.push(Array.isArray(at) ? Number(step) : step);
    at = typeof at === "object" && at !== null ? (at as Record<string, unknown>)[step] : undefined;
  }
  // A missing or additional property is the place of the issue, not the object with it.
  const { missingProperty, additionalProperty, unevaluatedProperty } = error.params as Record<
    string,
    unknown
  >;
  const inner = missingProperty ?? additionalProperty ?? unevaluatedProperty;
  if (typeof inner === "string") path.push(inner);
  return { message: error.message ?? `fails ${error.keyword}`, path };
}
