import {
  type Contract,
  contractsIn,
  type InstanceId,
  readOptions,
  type UnaryContract,
} from "../../core/mod.ts";
import { clientOptionTable, mergedOptions } from "./call_options.ts";
import type { Caller, Client, ClientCallOptions, TypedCallOptions } from "./caller.ts";
import type { Destination } from "./destination.ts";

/**
 * A client with a method for each contract in an object; see {@link Caller.client}.
 *
 * @throws {TypeError} If it holds no contract, or one under the key `then`; if an option is unknown, or has the wrong
 * type.
 */
export function typedClient<Contracts extends object>(
  caller: Caller,
  contracts: Contracts,
  given: { to: InstanceId | Destination } & ClientCallOptions,
): Client<Contracts> {
  const options = readOptions(given, clientOptionTable, "Cannot make a client");
  const methods: Record<string, unknown> = Object.create(null);
  for (const [name, contract] of contractsIn(contracts, "Cannot make a client")) {
    if (name === "then") {
      throw new TypeError(
        'Cannot make a client: a method "then" would make a promise of it; use another key',
      );
    }
    const method =
      (call: (merged: TypedCallOptions<Contract>) => Promise<unknown>) =>
      (payload: unknown, own?: ClientCallOptions): Promise<unknown> => {
        try {
          return call(mergedOptions(options, contract, payload, own));
        } catch (error) {
          return Promise.reject(error);
        }
      };
    methods[name] = contract.output !== undefined
      ? method((merged) => caller.typedUnary(contract as UnaryContract, merged))
      : Object.assign(method((merged) => caller.amSync(contract, merged)), {
        send: method((merged) => caller.amSend(contract, merged)),
      });
  }
  return Object.freeze(methods) as Client<Contracts>;
}
