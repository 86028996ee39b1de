import { readOptions } from "../../core/mod.ts";
import { checkHandler, makeHandler } from "./handler.ts";
import {
  type Handler,
  type HandlerContext,
  handlerOptionTable,
  type ObjectHandler,
  type TypedContext,
} from "./handler_context.ts";

const { schema: _, ...objectOptionTable } = handlerOptionTable;

/**
 * The handler of an object; one made by a function is checked and returned.
 *
 * @throws {TypeError} If it is not a handler.
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
  return makeHandler(kind, name, run, all);
}
