import { type Contract, type InstanceId, isContract, type UnaryContract } from "../../core/mod.ts";
import type { Caller, Client, ClientCallOptions } from "./caller.ts";
import type { ServiceTarget } from "./service_target.ts";

/**
 * A client with a method for each contract in an object; see {@link Caller.client}.
 *
 * @throws {TypeError} If nothing in it is a contract, or one is under the key `then`.
 */
export function typedClient<Contracts extends object>(
  caller: Caller,
  contracts: Contracts,
  options: { to: InstanceId | ServiceTarget } & ClientCallOptions,
): Client<Contracts> {
  const methods: Record<string, unknown> = Object.create(null);
  const all: [string, unknown][] = Object.entries(contracts);
  const found = all.filter((entry): entry is [string, Contract] => isContract(entry[1]));
  if (found.length === 0 && all.length > 0) {
    const names = all.slice(0, 5).map(([name]) => `"${name}"`).join(", ");
    throw new TypeError(`Cannot make a client: none of ${names} is a contract`);
  }
  for (const [name, contract] of found) {
    if (name === "then") {
      throw new TypeError(
        'Cannot make a client: a method "then" would make a promise of it; use another key',
      );
    }
    const merged = (payload: unknown, own: ClientCallOptions | undefined) => ({
      ...options,
      ...own,
      payload,
    });
    if (contract.output === undefined) {
      const method = (payload: unknown, own?: ClientCallOptions) =>
        caller.amSync(contract, merged(payload, own));
      methods[name] = Object.assign(method, {
        send: (payload: unknown, own?: ClientCallOptions) => caller.amSend(contract, merged(payload, own)),
      });
    } else {
      const typed = contract as UnaryContract;
      methods[name] = (payload: unknown, own?: ClientCallOptions) =>
        caller.typedUnary(typed, merged(payload, own));
    }
  }
  return Object.freeze(methods) as Client<Contracts>;
}
