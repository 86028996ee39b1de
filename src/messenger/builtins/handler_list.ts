import {
  type AnySchema,
  type InstanceId,
  jsonSchemaOf,
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

/** Description of a peer's handler. */
export interface HandlerDescription {
  /** Its name; names of system handlers begin with `_`. */
  readonly name: string;
  /** `am`: no answer. `unary`: bytes. `typed`: by a contract. Null from plain Velo, which lists names only. */
  readonly kind: "am" | "unary" | "typed" | null;
  /** JSON Schema of the input, on request, if its validator provides it. */
  readonly input?: JsonSchemaValue | undefined;
  /** JSON Schema of the answer, likewise. */
  readonly output?: JsonSchemaValue | undefined;
}

/** Options of `messenger.listHandlers`. */
export interface ListHandlersOptions extends WaitOptions {
  /** Whether to request JSON Schemas. @default {false} */
  schemas?: boolean | undefined;
}

/** The options of `messenger.listHandlers`. */
export const listHandlersOptionTable: OptionTable<ListHandlersOptions> = {
  ...waitOptionTable,
  schemas: option.flag,
};

// A handler's schema must not make the answer too large for the others.
const longestSchema = 65_536;
type Side = "input" | "output";
const { flag, lenient, list, of, optional, record, string } = shape;
const jsonSchemaKind = option.kind(
  "a JSON Schema",
  (value) => typeof value === "boolean" || (typeof value === "object" && value !== null),
);
const schema = lenient(of<JsonSchemaValue>(jsonSchemaKind));
// A later version may have other kinds.
const kind = lenient(of<"am" | "unary" | "typed">(option.oneOf("am", "unary", "typed")));

/** The question for an instance's handlers. */
export const listContract = systemContract("_list_handlers", {
  // Velo sends an empty payload or `null`.
  input: lenient(record({ kinds: lenient(flag), schemas: lenient(flag) })),
  output: record({
    handlers: list(string),
    details: optional(list(record({ name: string, kind, input: schema, output: schema }))),
  }),
});

/** Serves `_list_handlers`: names for plain Velo, and kinds and schemas on request. */
export function serveHandlerList({ registry, system }: MessengerCore): void {
  // Making a schema costs more than a request, so each is made once.
  const made: Record<Side, WeakMap<AnySchema, JsonSchemaValue | undefined>> = {
    input: new WeakMap(),
    output: new WeakMap(),
  };
  const schemaOf = (schema: AnySchema | null | undefined, side: Side): JsonSchemaValue | undefined => {
    if (!schema) return undefined;
    if (!made[side].has(schema)) {
      const companion = jsonSchemaOf(schema, side, longestSchema);
      made[side].set(schema, jsonSchemaKind.fits(companion) ? companion as JsonSchemaValue : undefined);
    }
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

/** The descriptions of a peer's handlers; from plain Velo only their names. */
export async function listHandlers(
  port: SystemPort,
  peer: InstanceId,
  { schemas = false, ...wait }: ListHandlersOptions,
): Promise<HandlerDescription[]> {
  const ask = (question?: { kinds: boolean; schemas: boolean }) =>
    port.call(listContract, peer, question, wait);
  // The first request makes a connection, which shows whether the peer is a zeromesh instance.
  let answer = port.isOurs(peer) ? null : await ask();
  if (port.isOurs(peer)) answer = await ask({ kinds: true, schemas });
  const { handlers, details } = answer!;
  return details?.map(({ kind = null, ...one }) => ({ ...one, kind })) ??
    handlers.map((name) => ({ name, kind: null }));
}
