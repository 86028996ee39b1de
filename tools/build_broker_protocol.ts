/** Writes docs/guides/broker-protocol.md from the schemas of the broker's protocol. */
import { writeFileSync } from "node:fs";
import process from "node:process";
import { z } from "zod";
import { brokerErrors } from "../src/broker/errors.ts";
import { brokerContracts } from "../src/broker/protocol/contracts.ts";
import { noticeSchema } from "../src/broker/protocol/notices.ts";
import { protocolVersions } from "../src/broker/protocol/version.ts";

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly minimum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly description?: string;
}

/** The page. */
export function brokerProtocolPage(): string {
  const { lowest, highest } = protocolVersions;
  const lines = [
    "# The broker's protocol",
    "",
    "This page is generated from the schemas in `src/broker/protocol` by `bun run docs:broker`.",
    "",
    "Clients of a broker call it over a messenger: each request is a unary call with JSON in both directions. Foreign programs",
    "use the broker's plain door instead, which [the guide of the broker](broker.md) describes.",
    "",
    `This library speaks ${
      lowest === highest ? `version ${lowest}` : `versions ${lowest} to ${highest}`
    } of the protocol. \`hello\` agrees on the highest version that both sides speak.`,
    "",
    "A client is known by the CURVE key of its connection, and without keys by its instance id. A request that names another",
    "`identity` fails with `IDENTITY_MISMATCH`.",
    "",
    "## Requests",
  ];
  for (const contract of Object.values(brokerContracts)) {
    const input = jsonOf(contract.input, "input");
    lines.push(
      "",
      `### \`${contract.name}\``,
      "",
      input.description ?? "",
      "",
      "Request:",
      "",
      ...fields(input),
    );
    lines.push("", "Answer:", "", ...fields(jsonOf(contract.output, "output")));
  }
  lines.push(
    "",
    "## Errors",
    "",
    "Each request may fail with these, and with the errors of every call, `FORBIDDEN`, `IDENTITY_MISMATCH`, `NAME_INVALID` and",
    "`LIMIT_REACHED`.",
    "",
    "| code | details |",
    "| --- | --- |",
  );
  for (const [code, schema] of Object.entries(brokerErrors)) {
    lines.push(`| \`${code}\` | ${schema === null ? "none" : typeText(jsonOf(schema, "output"))} |`);
  }
  lines.push(
    "",
    "## Notices",
    "",
    "The broker sends them as items of one stream for each client, in the order in which things happened, from `hello` on.",
    "",
  );
  for (const option of noticeSchema.options) {
    const shape = jsonOf(option, "output");
    const { type, ...rest } = shape.properties ?? {};
    lines.push(`- \`${String(type?.const)}\`: ${typeText({ ...shape, properties: rest })}`);
  }
  return `${lines.join("\n")}\n`;
}

function jsonOf(schema: z.ZodType, io: "input" | "output"): JsonSchema {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" }) as JsonSchema;
}

function fields({ properties = {}, required = [] }: JsonSchema): string[] {
  const rows = Object.entries(properties);
  if (rows.length === 0) return ["nothing"];
  return [
    "| field | value |",
    "| --- | --- |",
    ...rows.map(([name, schema]) =>
      `| \`${name}\`${required.includes(name) ? "" : " (optional)"} | ${typeText(schema)} |`
    ),
  ];
}

function typeText(schema: JsonSchema): string {
  const { type, items, anyOf, oneOf, properties, additionalProperties, maxLength, maxItems } = schema;
  const choices = anyOf ?? oneOf;
  if (choices !== undefined) return choices.map(typeText).join(" or ");
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (schema.enum !== undefined) return schema.enum.map((one) => `\`${JSON.stringify(one)}\``).join(" or ");
  if (properties !== undefined) {
    const parts = Object.entries(properties).map(([name, one]) => `\`${name}\`: ${typeText(one)}`);
    return parts.length === 0 ? "nothing else" : `{ ${parts.join(", ")} }`;
  }
  if (type === "array") {
    return `array of ${items === undefined ? "values" : typeText(items)}${
      maxItems === undefined ? "" : `, at most ${maxItems}`
    }`;
  }
  if (type === "object") {
    return typeof additionalProperties === "object" && Object.keys(additionalProperties).length > 0
      ? `object of ${typeText(additionalProperties)}`
      : "object";
  }
  if (type === "string" && maxLength !== undefined) return `string, at most ${maxLength} characters`;
  return type === undefined ? "a value" : String(type);
}

if (import.meta.main) {
  const path = "docs/guides/broker-protocol.md";
  writeFileSync(path, brokerProtocolPage());
  console.log(`wrote ${path}`);
  process.exitCode = 0;
}
