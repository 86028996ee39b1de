import {
  type AnySchema,
  type Contract,
  type ContractOfKind,
  contractsIn,
  describeValue,
  type HandlerInput,
  type HandlerOutput,
  unknownName,
} from "../../core/mod.ts";
import type { ContractKinds, Served } from "../contract_kinds.ts";
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

/** A function that serves a contract. @typeParam Messenger The type of its `context.messenger`. */
export type HandlerFunction<C extends Contract, Messenger extends MessengerHandle = MessengerHandle> =
  C extends ContractOfKind<infer Types> ? (Types & {
      readonly contract: C;
      readonly messenger: Messenger;
      readonly context: Omit<TypedContext<unknown, C["errors"], Messenger>, "input">;
    })["handler"]
    : (context: TypedContext<HandlerInput<C>, C["errors"], Messenger>) => HandlerResult<C>;

/** One function for each contract of an object, under the same key. */
export type HandlerFunctions<Contracts extends object, Messenger extends MessengerHandle = MessengerHandle> =
  {
    readonly [Name in keyof Contracts as Contracts[Name] extends Contract ? Name : never]:
      Contracts[Name] extends Contract ? HandlerFunction<Contracts[Name], Messenger> : never;
  };

const cannot = "Cannot serve";

/**
 * Makes handlers for the contracts of an object from the methods of another object with the same keys.
 *
 * @throws {TypeError} If a function is missing or has no contract, or two contracts have one name.
 * @throws {ZeromeshError} `NAME_INVALID`.
 */
export function handlersFor(
  kinds: ContractKinds,
  contracts: object,
  methods: object,
  options: HandlerOptions,
): Handler[] {
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
    return kinds.of(contract).handler(contract, run.bind(methods) as Served, options);
  });
}
