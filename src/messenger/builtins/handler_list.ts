import {
  type AnySchema,
  type InstanceId,
  option,
  type OptionTable,
  shape,
  systemContract,
} from "../../core/mod.ts";
import { type WaitOptions, waitOptionTable } from "../calls/wait_options.ts";
import type { MessengerCore } from "../core.ts";
import type { Registered } from "../handlers/context.ts";
import type { SystemPort } from "../system_port.ts";

/** A JSON Schema, as JSON. */
export type JsonSchemaValue = boolean | Readonly<Record<string, unknown>>;

/** What a peer says about one of its handlers. */
export interface HandlerDescription {
  /** Its name; the system's start with `_`. */
  readonly name: string;
  /** `am`: no answer. `unary`: bytes. `typed`: by a contract. Null from plain Velo, which tells names only. */
  readonly kind: "am" | "unary" | "typed" | null;
  /** JSON Schema of what a caller sends, when asked for and its validator can tell. */
  readonly input?: JsonSchemaValue | undefined;
  /** JSON Schema of the answer, likewise. */
  readonly output?: JsonSchemaValue | undefined;
}

/** How to `messenger.listHandlers`. */
export interface ListHandlersOptions extends WaitOptions {
  /** Whether to ask for JSON Schemas, too. @default {false} */
  schemas?: boolean | undefined;
}

/** All that `messenger.listHandlers` knows. */
export const listHandlersOptionTable: OptionTable<ListHandlersOptions> = {
  ...waitOptionTable,
  schemas: option.flag,
};

// One handler's schema is no reason to make the answer too large for the rest.
const longestSchema = 65_536;
const dialect = { target: "draft-2020-12" } as const;
type Side = "input" | "output";
const { flag, lenient, list, of, optional, record, string } = shape;
const jsonSchemaKind = option.kind(
  "a JSON Schema",
  (value) => typeof value === "boolean" || (typeof value === "object" && value !== null),
);
const schema = lenient(of<JsonSchemaValue>(jsonSchemaKind));
// A later version may have other kinds.
const kind = lenient(of<"am" | "unary" | "typed">(option.oneOf("am", "unary", "typed")));

/** Asks which handlers an instance has. */
export const listContract = systemContract("_list_handlers", {
  // Velo asks with nothing, and with `null`.
  input: lenient(record({ kinds: lenient(flag), schemas: lenient(flag) })),
  output: record({
    handlers: list(string),
    details: optional(list(record({ name: string, kind, input: schema, output: schema }))),
  }),
});

/** Answers with names to whoever asks as Velo does, and with kinds and schemas to whoever asks for them. */
export function serveHandlerList({ registry, system }: MessengerCore): void {
  // Making one costs more than a question for it, so each is made once.
  const made: Record<Side, WeakMap<AnySchema, JsonSchemaValue | undefined>> = {
    input: new WeakMap(),
    output: new WeakMap(),
  };
  const schemaOf = (schema: AnySchema | null | undefined, side: Side): JsonSchemaValue | undefined => {
    if (!schema) return undefined;
    if (!made[side].has(schema)) made[side].set(schema, jsonSchemaOf(schema, side));
    return made[side].get(schema);
  };
  const describe = ({ handler: { name, kind, contract }, schema, system }: Registered, deep: boolean) => {
    if (!deep || system) return { name, kind };
    return { name, kind, input: schemaOf(schema, "input"), output: schemaOf(contract?.output, "output") };
  };
  system.serve(listContract, ({ input: { kinds = false, schemas: deep = false } = {} }) => {
    const handlers = registry.names();
    if (!kinds && !deep) return { handlers };
    return { handlers, details: [...registry.all()].map((registered) => describe(registered, deep)) };
  });
}

/** What the handlers of a peer are; from plain Velo only their names. */
export async function listHandlers(
  port: SystemPort,
  peer: InstanceId,
  { schemas = false, ...wait }: ListHandlersOptions,
): Promise<HandlerDescription[]> {
  const ask = (question?: { kinds: boolean; schemas: boolean }) =>
    port.call(listContract, peer, question, wait);
  // Whether it is one of ours is known when there is a connection, and the first question makes one.
  let answer = port.isOurs(peer) ? null : await ask();
  if (port.isOurs(peer)) answer = await ask({ kinds: true, schemas });
  const { handlers, details } = answer!;
  return details?.map(({ kind = null, ...one }) => ({ ...one, kind })) ??
    handlers.map((name) => ({ name, kind: null }));
}

/** What a validator says of itself in the companion of Standard Schema; undefined when it has none or cannot tell. */
function jsonSchemaOf(schema: AnySchema, side: Side): JsonSchemaValue | undefined {
  const { jsonSchema } = schema["~standard"] as {
    jsonSchema?: Record<Side, (options: typeof dialect) => unknown>;
  };
  try {
    const text = JSON.stringify(jsonSchema?.[side]?.(dialect));
    const made: unknown = text.length > longestSchema ? undefined : JSON.parse(text);
    return jsonSchemaKind.fits(made) ? made as JsonSchemaValue : undefined;
  } catch {
    return undefined; // a schema that JSON Schema cannot express
  }
}
