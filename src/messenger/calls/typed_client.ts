import { contractsIn, type InstanceId, readOptions } from "../../core/mod.ts";
import type { ContractKinds } from "../contract_kinds.ts";
import { clientOptionTable, mergedOptions } from "./call_options.ts";
import type { Caller, Client, ClientCallOptions } from "./caller.ts";
import type { Destination } from "./destination.ts";

/**
 * A client with a method for each contract in an object; see {@link Caller.client}.
 *
 * @throws {TypeError} If it holds no contract, or one under the key `then`; if an option is unknown, or has the wrong
 * type.
 * @throws {ZeromeshError} `FEATURE_UNAVAILABLE` for a contract of a kind that the instance does not know.
 */
export function typedClient<Contracts extends object>(
  kinds: ContractKinds,
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
    methods[name] = kinds.of(contract).method(
      caller,
      contract,
      (payload, own, table) => mergedOptions(options, contract, payload, own, table),
    );
  }
  return Object.freeze(methods) as Client<Contracts>;
}
