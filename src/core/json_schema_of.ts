import type { AnySchema } from "./schema.ts";

const dialect = { target: "draft-2020-12" } as const;

/**
 * A validator's JSON Schema, by the companion of Standard Schema.
 *
 * @param side The values that it takes, or those that it gives.
 * @param maxLength The longest JSON text.
 * @returns Undefined when it provides none, JSON Schema cannot express it, or it is too long.
 */
export function jsonSchemaOf(schema: AnySchema, side: "input" | "output", maxLength: number): unknown {
  const { jsonSchema } = schema["~standard"] as {
    jsonSchema?: Record<typeof side, (options: typeof dialect) => unknown>;
  };
  try {
    const text = JSON.stringify(jsonSchema?.[side]?.(dialect));
    return text.length > maxLength ? undefined : JSON.parse(text);
  } catch {
    return undefined; // JSON Schema cannot express it
  }
}
