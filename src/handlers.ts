/**
 * What makes handlers, with the {@link Messenger} itself as `context.messenger`: the layers below know only what they
 * need of it.
 *
 * @module
 */
import type { Contract, ContractErrors, HandlerInput, HandlerOutput, UnaryContract } from "./core/mod.ts";
import type { Messenger } from "./messenger.ts";
import {
  amHandler as makeAm,
  type Handler,
  type HandlerContext as MessageContext,
  type HandlerFunction,
  type HandlerFunctions,
  type HandlerOptions,
  type MaybePromise,
  type ObjectHandler as HandlerObject,
  type TypedContext as ContractContext,
  typedUnaryHandler as makeTyped,
  unaryHandler as makeUnary,
} from "./messenger/mod.ts";

/**
 * What every handler gets. Payload and headers belong to it for good.
 *
 * A handler that returns no promise reads them before it returns, if anybody wants them later.
 */
export type HandlerContext = MessageContext<Messenger>;

/** What a handler with a contract gets: the context, the input its schema gave, and `fail` for its declared errors. */
export type TypedContext<Input, Errors extends ContractErrors = ContractErrors> = ContractContext<
  Input,
  Errors,
  Messenger
>;

/** A handler as an object: a literal, or an instance of a class of yours, whose `handle` is called as its method. */
export type ObjectHandler = HandlerObject<Messenger>;

/** A function that serves a contract. */
export type ContractHandler<C extends Contract> = HandlerFunction<C, Messenger>;

/** The functions that serve the contracts in an object, which may hold other things: one under the key of each. */
export type ContractHandlers<Contracts extends object> = HandlerFunctions<Contracts, Messenger>;

/**
 * A handler of active messages: it answers nothing.
 *
 * Reached by `amSend` and `amSync`; `amSync` waits until it has finished.
 *
 * @param target The handler's name, or a contract without `output`.
 * @param run The function. What it returns is ignored; a promise is waited for.
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
/** A handler of active messages for a contract: its input is validated before it runs. */
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
  return makeAm(target as string, run as (context: MessageContext) => unknown, options);
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
  return makeUnary(name, run as (context: MessageContext) => Uint8Array, options);
}

/**
 * A handler for a contract: its input is validated before it runs, its answer before it is sent.
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
  return makeTyped(
    target,
    run as (context: ContractContext<HandlerInput<C>, C["errors"]>) => HandlerOutput<C>,
    options,
  );
}
