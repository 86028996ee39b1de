import { type AnySchema, type InstanceId, option, type OptionTable } from "../../core/mod.ts";
import { decodePayload, encodePayload, parseControlJson } from "../../wire/mod.ts";
import type { MessengerCore } from "../core.ts";
import { unreadableAnswer } from "./unreadable_answer.ts";
import type { Registered } from "../handlers/context.ts";
import { isOneOfOurs } from "./handler_waits.ts";
import { type WaitOptions, waitOptionTable } from "../calls/wait_options.ts";

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

const name = "_list_handlers";
const kinds: readonly unknown[] = ["am", "unary", "typed"];
// One handler's schema is no reason to make the answer too large for the rest.
const longestSchema = 65_536;
const dialect = { target: "draft-2020-12" } as const;

/** Answers `_list_handlers`: names to whoever asks as Velo does, and kinds and schemas to whoever asks for them. */
export function serveHandlerList(core: MessengerCore): void {
  const schemas = new WeakMap<AnySchema, Partial<Record<"input" | "output", JsonSchemaValue | null>>>();

  // Making one costs more than a question for it, so each is made once.
  const schemaOf = (schema: AnySchema | null | undefined, side: "input" | "output") => {
    if (schema === null || schema === undefined) return undefined;
    const known = schemas.get(schema) ?? {};
    schemas.set(schema, known);
    if (!(side in known)) known[side] = jsonSchemaOf(schema, side);
    return known[side] ?? undefined;
  };

  const describe = ({ handler, schema }: Registered, withSchemas: boolean): HandlerDescription => ({
    name: handler.name,
    kind: handler.kind,
    ...(withSchemas
      ? { input: schemaOf(schema, "input"), output: schemaOf(handler.contract?.output, "output") }
      : {}),
  });

  core.system.handle(name, "unary", (message) => {
    const handlers = core.registry.names();
    const asked = parseControlJson(message.lentPayload) as { kinds?: unknown; schemas?: unknown } | undefined;
    const withSchemas = asked?.schemas === true;
    if (asked?.kinds !== true && !withSchemas) return encodePayload({ handlers }, "json");
    const details = [...core.registry.all()].map((registered) => describe(registered, withSchemas));
    return encodePayload({ handlers, details }, "json");
  });
}

/** What the handlers of a peer are; from plain Velo only their names. */
export async function listHandlers(
  core: MessengerCore,
  peer: InstanceId,
  options: ListHandlersOptions,
): Promise<HandlerDescription[]> {
  const { schemas = false, ...wait } = options;
  const plain = (names: readonly string[]) => names.map((one) => ({ name: one, kind: null }));
  // Whether it is one of ours is known when there is a connection, and this question makes one.
  const names = isOneOfOurs(core, peer) ? null : await core.handlersOf(peer, wait);
  if (names !== null && !isOneOfOurs(core, peer)) return plain(names);
  const payload = encodePayload({ kinds: true, schemas }, "json");
  const answer = decodePayload(await core.client.system(name, peer, { ...wait, payload }), "json").value;
  const { handlers, details } = (answer ?? {}) as { handlers?: unknown; details?: unknown };
  if (Array.isArray(details) && details.every(isDescription)) return details;
  if (Array.isArray(handlers) && handlers.every((one) => typeof one === "string")) return plain(handlers);
  throw unreadableAnswer(core.connections.peers, peer, name);
}

function isDescription(value: unknown): value is HandlerDescription {
  if (typeof value !== "object" || value === null) return false;
  const { name, kind, input, output } = value as Record<string, unknown>;
  return typeof name === "string" && kinds.includes(kind) && isSchemaValue(input) && isSchemaValue(output);
}

function isSchemaValue(value: unknown): boolean {
  return value === undefined || typeof value === "boolean" || (typeof value === "object" && value !== null);
}

/** What a validator says of itself in the companion of Standard Schema; null when it has none or cannot tell. */
function jsonSchemaOf(schema: AnySchema, side: "input" | "output"): JsonSchemaValue | null {
  const { jsonSchema } = schema["~standard"] as {
    jsonSchema?: Record<"input" | "output", (options: typeof dialect) => unknown>;
  };
  try {
    const made = jsonSchema?.[side]?.(dialect);
    if (!isSchemaValue(made) || made === undefined) return null;
    const text = JSON.stringify(made);
    return text.length > longestSchema ? null : JSON.parse(text) as JsonSchemaValue;
  } catch {
    return null; // a schema that JSON Schema cannot express
  }
}
