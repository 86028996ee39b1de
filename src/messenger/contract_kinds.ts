import { type Contract, type OptionTable, type UnaryContract, ZeromeshError } from "../core/mod.ts";
import type { Caller, ClientCallOptions, TypedCallOptions } from "./calls/caller.ts";
import { amHandler, typedUnaryHandler } from "./handlers/handler.ts";
import type { Handler, HandlerOptions, TypedContext } from "./handlers/handler_context.ts";

/** A function for a contract, with erased types. */
export type Served = (context: TypedContext<unknown>) => unknown;

/**
 * Makes the options of a call by a client's method.
 *
 * @param own The method's own, which override the client's.
 * @param table The options of a method, for a kind that has more of them.
 * @throws {TypeError} If one of its own is unknown or has the wrong type.
 * @throws {RangeError} If one is out of its range.
 */
export type MethodOptions = <Own extends ClientCallOptions>(
  payload: unknown,
  own?: Own | null,
  table?: OptionTable<Own>,
) => TypedCallOptions<Contract> & Own;

/** Handlers and client methods for contracts of one kind. Their types are a `ContractTypes`. */
export interface ContractKind {
  /** Makes the handler of a contract. @param run The user's function. */
  handler(contract: Contract, run: Served, options: HandlerOptions): Handler;
  /** Makes a client's method for a contract. */
  method(caller: Caller, contract: Contract, options: MethodOptions): unknown;
}

/** Without `output`: a handler without an answer. */
const am: ContractKind = {
  handler: amHandler,
  method: (caller, contract, options) =>
    Object.assign(promising(options, (all) => caller.amSync(contract, all)), {
      send: promising(options, (all) => caller.amSend(contract, all)),
    }),
};

/** With `output`. */
const unary: ContractKind = {
  handler: (contract, run, options) => typedUnaryHandler(contract as UnaryContract, run, options),
  method: (caller, contract, options) =>
    promising(options, (all) => caller.typedUnary(contract as UnaryContract, all)),
};

/** A method that rejects with the errors of its options. */
function promising(options: MethodOptions, call: (all: TypedCallOptions<Contract>) => Promise<unknown>) {
  return (payload: unknown, own?: ClientCallOptions): Promise<unknown> => {
    try {
      return call(options(payload, own));
    } catch (error) {
      return Promise.reject(error);
    }
  };
}

/** The kinds of contract that a messenger knows: its own two, and those of its features. */
export class ContractKinds {
  readonly #byName = new Map<string, ContractKind>([["am", am], ["unary", unary]]);

  /** Adds a kind; disposing the result removes it. @throws {TypeError} If the name is registered. */
  add(name: string, kind: ContractKind): Disposable {
    if (this.#byName.has(name)) throw new TypeError(`Cannot add contract kind "${name}": the name is taken`);
    this.#byName.set(name, kind);
    return { [Symbol.dispose]: () => void (this.#byName.get(name) === kind && this.#byName.delete(name)) };
  }

  /** The kind of a contract. @throws {ZeromeshError} `FEATURE_UNAVAILABLE` if no feature has added it. */
  of({ name, kind }: Contract): ContractKind {
    const known = this.#byName.get(kind);
    if (known !== undefined) return known;
    const why = `this instance lacks the feature that handles and calls contracts of kind "${kind}"`;
    throw new ZeromeshError("FEATURE_UNAVAILABLE", `Cannot use contract "${name}": ${why}`, {
      handler: name,
    });
  }
}
