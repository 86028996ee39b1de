import type { CallOutput, InstanceId } from "../../core/mod.ts";
import type { SystemCall, SystemPort } from "../../messenger/mod.ts";
import { brokerContracts } from "../protocol/contracts.ts";

/** How long a request waits for its answer, in milliseconds. */
export const requestMs = 5_000;

/** What dialling fails with, and the refusal of a broker that answers, too. */
export const codesOfDials: ReadonlySet<string> = new Set(["FORBIDDEN", "IDENTITY_MISMATCH"]);

type Contracts = typeof brokerContracts;

/** A request of a client that has introduced itself. */
export type ClientRequest = Exclude<keyof Contracts, "hello">;

/** What a request says. */
export type RequestInput<Name extends ClientRequest> = SystemCall<Contracts[Name]>["input"];

/** The answer to a request. */
export type RequestOutput<Name extends ClientRequest> = CallOutput<Contracts[Name]>;

/** Sends a request to a broker. */
export async function sendRequest<Name extends ClientRequest>(
  port: SystemPort,
  name: Name,
  to: InstanceId,
  input: RequestInput<Name>,
): Promise<RequestOutput<Name>> {
  const answer: unknown = await port.call(brokerContracts[name], to, input as never, {
    timeoutMs: requestMs,
  });
  return answer as RequestOutput<Name>;
}
