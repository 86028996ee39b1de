import {
  type AnySchema,
  type Contract,
  contractsIn,
  describeValue,
  type HandlerInput,
  type HandlerOutput,
  type UnaryContract,
  unknownName,
} from "../../core/mod.ts";
import { amHandler, typedUnaryHandler } from "./handler.ts";
import type {
  Handler,
  HandlerOptions,
  MaybePromise,
  MessengerHandle,
  TypedContext,
} from "./handler_context.ts";

/** The result of a function that serves a contract; ignored for a contract without an answer. */
export type HandlerResult<C extends Contract> = C["output"] extends AnySchema ? MaybePromise<HandlerOutput<C>>
  : unknown;

/** A function that serves a contract, with the messenger that its context has. */
export type HandlerFunction<C extends Contract, Messenger extends MessengerHandle = MessengerHandle> = (
  context: TypedContext<HandlerInput<C>, C["errors"], Messenger>,
) => HandlerResult<C>;

/** The functions that serve the contracts in an object, which may hold other things: one under the key of each. */
export type HandlerFunctions<Contracts extends object, Messenger extends MessengerHandle = MessengerHandle> =
  {
    readonly [Name in keyof Contracts as Contracts[Name] extends Contract ? Name : never]:
      Contracts[Name] extends Contract ? HandlerFunction<Contracts[Name], Messenger> : never;
  };

/** A function for a contract, whatever its types are. */
export type Served = (context: TypedContext<unknown>) => unknown;

const cannot = "Cannot serve";

/** The handler of a contract: without `output` in it an am handler. */
export function handlerFor(contract: Contract, run: Served, options: HandlerOptions): Handler {
  return contract.output === undefined
    ? amHandler(contract, run, options)
    : typedUnaryHandler(contract as UnaryContract, run, options);
}

/**
 * The handlers of the contracts in an object, whose functions are the methods of another one under the same keys.
 *
 * @throws {TypeError} If a function is missing, is for no contract, or two contracts have one name.
 * @throws {ZeromeshError} `NAME_INVALID`.
 */
export function handlersFor(contracts: object, methods: object, options: HandlerOptions): Handler[] {
  const found = contractsIn(contracts, cannot);
  if (typeof methods !== "object" || methods === null) {
    throw new TypeError(
      `${cannot}: the functions must be an object with one for each contract, got ${describeValue(methods)}`,
    );
  }
  const known = Object.fromEntries(found);
  for (const [key, value] of Object.entries(methods)) {
    if (typeof value === "function" && !Object.hasOwn(known, key)) {
      throw unknownName("contract", key, known, cannot);
    }
  }
  const keys = new Map<string, string>();
  return found.map(([key, contract]) => {
    const run: unknown = Reflect.get(methods, key);
    if (typeof run !== "function") {
      throw new TypeError(`${cannot}: there must be a function "${key}", got ${describeValue(run)}`);
    }
    const former = keys.get(contract.name);
    if (former !== undefined) {
      throw new TypeError(
        `${cannot}: the contracts "${former}" and "${key}" have the same name, "${contract.name}"`,
      );
    }
    keys.set(contract.name, key);
    return handlerFor(contract, run.bind(methods) as Served, options);
  });
}
