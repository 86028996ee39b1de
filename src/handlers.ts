/**
 * The functions that make handlers, with the {@link Messenger} itself as `context.messenger`. Lower layers know only
 * the part of it that they need.
 *
 * @module
 */
import type { Contract, ContractErrors, HandlerInput, HandlerOutput, UnaryContract } from "./core/mod.ts";
import type { Messenger } from "./messenger.ts";
import {
  type Handler,
  type HandlerContext as MessageContext,
  type HandlerFunction,
  type HandlerFunctions,
  type HandlerOptions,
  makeHandler,
  type MaybePromise,
  type ObjectHandler as HandlerObject,
  type TypedContext as ContractContext,
} from "./messenger/mod.ts";

/**
 * The context of every handler. A handler that returns a promise owns payload and headers for good; one that returns
 * none reads them before it returns, if they are needed later.
 */
export type HandlerContext = MessageContext<Messenger>;

/** The context of a contract's handler: also the validated input, and `fail` for the declared errors. */
export type TypedContext<Input, Errors extends ContractErrors = ContractErrors> = ContractContext<
  Input,
  Errors,
  Messenger
>;

/** A handler as an object, literal or instance of a class, whose `handle` is called as its method. */
export type ObjectHandler = HandlerObject<Messenger>;

/** A function that serves a contract. */
export type ContractHandler<C extends Contract> = HandlerFunction<C, Messenger>;

/** One function for each contract of an object, under the same key. Keys without a contract have none. */
export type ContractHandlers<Contracts extends object> = HandlerFunctions<Contracts, Messenger>;

/**
 * A handler of active messages: it returns no answer. `amSend` and `amSync` reach it; `amSync` waits until it has
 * finished.
 *
 * @param target The handler's name, or a contract without `output`.
 * @param run The function. Its result is ignored; a promise is awaited.
 * @param options How it runs.
 * @throws {ZeromeshError} `NAME_INVALID` for an empty name, one over 65 535 bytes, or one that starts with `_`.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(amHandler("notify", ({ payload }) => void console.log(payload.length)));
 * ```
 */
export function amHandler(
  target: string,
  run: (context: HandlerContext) => unknown,
  options?: HandlerOptions,
): Handler;
/** An am handler of a contract: the input is validated before it runs. */
export function amHandler<C extends Contract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>, C["errors"]>) => unknown,
  options?: HandlerOptions,
): Handler;
export function amHandler(
  target: string | Contract,
  run: (context: TypedContext<never>) => unknown,
  options?: HandlerOptions,
): Handler {
  return makeHandler("am", target, run, options);
}

/**
 * A handler that answers bytes with bytes.
 *
 * @param name The handler's name.
 * @param run The function. It returns a `Uint8Array`, or nothing for an empty answer, or a promise of either.
 * @param options How it runs.
 * @throws {ZeromeshError} `NAME_INVALID`.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(unaryHandler("ping", ({ payload }) => payload));
 * ```
 */
export function unaryHandler(
  name: string,
  run: (context: HandlerContext) => MaybePromise<Uint8Array | null | undefined | void>,
  options?: HandlerOptions,
): Handler {
  return makeHandler("unary", name, run, options);
}

/**
 * A handler of a contract: the input is validated before it runs, the answer before it is sent.
 *
 * @param target The contract.
 * @param run The function; `context.input` has the type of the contract.
 * @param options How it runs.
 * @throws {ZeromeshError} `NAME_INVALID`.
 *
 * @example Usage
 * ```ts ignore
 * messenger.registerHandler(typedUnaryHandler(add, ({ input }) => ({ sum: input.a + input.b })));
 * ```
 */
export function typedUnaryHandler<C extends UnaryContract>(
  target: C,
  run: (context: TypedContext<HandlerInput<C>, C["errors"]>) => MaybePromise<HandlerOutput<C>>,
  options?: HandlerOptions,
): Handler {
  return makeHandler("typed", target, run, options);
}
