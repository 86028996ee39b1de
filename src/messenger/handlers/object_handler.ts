import { type AnySchema, type ContractErrors, readOptions } from "../../core/mod.ts";
import {
  amHandler,
  checkHandler,
  type Handler,
  type HandlerContext,
  type HandlerOptions,
  handlerOptionTable,
  type MessengerFace,
  type TypedContext,
  unaryHandler,
} from "./handler.ts";

const { schema: _, ...objectOptionTable } = handlerOptionTable;

/**
 * A handler as an object: a literal, or an instance of a class of yours, whose `handle` is called as its method.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 *
 * class Counter {
 *   readonly name = "count";
 *   total = 0;
 *   handle(): void {
 *     this.total++;
 *   }
 * }
 *
 * await using messenger = await Messenger.create();
 * messenger.registerHandler(new Counter());
 * ```
 */
export interface ObjectHandler<Messenger extends MessengerFace = MessengerFace> {
  /** Its name. */
  readonly name: string;
  /** `am` answers nothing; what `unary` returns are the bytes of the answer. @default {"am"} */
  readonly kind?: "am" | "unary" | undefined;
  /** What its payload must be: a Standard Schema. Anything else is refused, and what it gives is `context.input`. */
  readonly schema?: AnySchema | undefined;
  /** Its limits, its order, and who may call it. */
  readonly options?: Omit<HandlerOptions, "schema"> | undefined;
  /** Called for each message. */
  handle(context: TypedContext<unknown, ContractErrors, Messenger>): unknown;
}

/**
 * The handler that an object stands for; one that was made by a function is checked and returned.
 *
 * @throws {TypeError} If it is no handler.
 * @throws {ZeromeshError} `NAME_INVALID`.
 */
export function handlerOf(given: Handler | ObjectHandler): Handler {
  if (typeof given !== "object" || given === null || !("handle" in given)) {
    checkHandler(given);
    return given;
  }
  const { name, schema, options } = given;
  const kind = given.kind ?? "am";
  if (typeof given.handle !== "function") {
    throw new TypeError(`Cannot register handler "${name}": its handle must be a function`);
  }
  if (kind !== "am" && kind !== "unary") {
    throw new TypeError(`Cannot register handler "${name}": its kind must be "am" or "unary", got ${kind}`);
  }
  const run = (context: HandlerContext) => given.handle(context as TypedContext<unknown>);
  const all = { ...readOptions(options, objectOptionTable, "Cannot register handler", name), schema };
  if (kind === "am") return amHandler(name, run, all);
  return unaryHandler(name, run as (context: HandlerContext) => Uint8Array, all);
}
