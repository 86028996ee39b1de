import {
  type Contract,
  type HandlerInput,
  type HandlerOutput,
  isContract,
  readOptions,
  type UnaryContract,
} from "../../core/mod.ts";
import { validateHandlerName } from "../../wire/mod.ts";
import {
  type Handler,
  type HandlerContext,
  type HandlerOptions,
  handlerOptionTable,
  type MaybePromise,
  type TypedContext,
} from "./handler_context.ts";
import { resolveTasks } from "./task_options.ts";

/** An am handler of a contract: the input is validated before it runs, and it returns no answer. */
export function amHandler<C extends Contract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>, C["errors"]>) => unknown,
  options?: HandlerOptions,
): Handler {
  return makeHandler("am", target, run, options);
}

/** A handler that answers bytes with bytes. */
export function unaryHandler(
  name: string,
  run: (context: HandlerContext) => MaybePromise<Uint8Array | null | undefined | void>,
  options?: HandlerOptions,
): Handler {
  return makeHandler("unary", name, run, options);
}

/** A handler of a contract: the input is validated before it runs, the answer before it is sent. */
export function typedUnaryHandler<C extends UnaryContract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>, C["errors"]>) => MaybePromise<HandlerOutput<C>>,
  options?: HandlerOptions,
): Handler {
  return makeHandler("typed", target, run, options);
}

/** A handler by name or of a contract. @param run Gets a context of the handler's kind. */
export function makeHandler(
  kind: Handler["kind"],
  target: string | Contract,
  run: (context: never) => unknown,
  given: HandlerOptions | null | undefined,
): Handler {
  const contract = isContract(target) ? target : null;
  const name = contract === null ? target as string : contract.name;
  if (typeof name !== "string") throw new TypeError("Cannot make a handler: it needs a name or a contract");
  if (typeof run !== "function") throw new TypeError(`Cannot make handler "${name}": it needs a function`);
  validateHandlerName(name);
  const options = readOptions(given, handlerOptionTable, "Cannot make handler", name);
  if (options.schema !== undefined && contract !== null) {
    throw new TypeError(`Cannot make handler "${name}" with a schema: its contract has one`);
  }
  const schema = contract?.input ?? options.schema ?? null;
  const tasks = resolveTasks(name, options);
  const { dispatch = "spawn", authorize } = options;
  return Object.freeze({
    name,
    kind,
    contract,
    dispatch,
    schema,
    authorize,
    tasks,
    run: run as Handler["run"],
  });
}

/**
 * Checks a handler that may not come from one of these functions.
 *
 * @throws {TypeError} If it is not a handler.
 * @throws {ZeromeshError} `NAME_INVALID`.
 */
export function checkHandler(handler: Handler): void {
  if (typeof handler?.run !== "function" || typeof handler.name !== "string") {
    throw new TypeError(
      "Cannot register a handler that was not made by amHandler, unaryHandler or typedUnaryHandler",
    );
  }
  validateHandlerName(handler.name);
  const { authorize } = handler;
  if (authorize === undefined || typeof authorize === "function") return;
  throw new TypeError(`Cannot register handler "${handler.name}": its authorize must be a function`);
}
