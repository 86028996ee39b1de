import { createHash } from "node:crypto";
import { type AnySchema, jsonSchemaOf } from "../core/mod.ts";
import type { ChannelContract } from "./contract.ts";

/** The schema of a channel, as both sides and the broker compare it. */
export interface SchemaAgreement {
  /** SHA-256 of the text, 64 hexadecimal digits; null if the validator offers no JSON Schema: it is not compared then. */
  readonly hash: string | null;
  /** The JSON Schemas in canonical JSON; null without them. */
  readonly text: string | null;
  /** The version that the contract names. */
  readonly version: string;
}

/** The most characters of a channel's JSON Schema; a longer one is not compared. */
export const longestSchema = 65_536;

const agreements = new WeakMap<ChannelContract, SchemaAgreement>();

/** The schema of a contract. */
export function agreementOf(contract: ChannelContract): SchemaAgreement {
  let agreement = agreements.get(contract);
  if (agreement === undefined) {
    const text = textOf(contract);
    const hash = text === null ? null : createHash("sha256").update(text).digest("hex");
    agreements.set(contract, agreement = { hash, text, version: contract.version });
  }
  return agreement;
}

function textOf({ pattern, message, reply, encoding }: ChannelContract): string | null {
  const schemas: Record<string, unknown> = { message: schemaOf(message) };
  if (pattern === "bidirectional") schemas["reply"] = schemaOf(reply);
  if (Object.values(schemas).includes(undefined)) return null;
  const text = canonical({ ...schemas, encoding });
  return text.length > longestSchema ? null : text;
}

/** What travels is the value that the sender gives. */
function schemaOf(schema: AnySchema): unknown {
  return jsonSchemaOf(schema, "input", longestSchema);
}

/** JSON whose keys are in order. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const keys = Object.keys(value).sort();
  return `{${
    keys.map((key) => `${JSON.stringify(key)}:${canonical((value as Record<string, unknown>)[key])}`).join(
      ",",
    )
  }}`;
}
