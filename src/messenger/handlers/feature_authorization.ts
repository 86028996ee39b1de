import { hold, ZeromeshError } from "../../core/mod.ts";
import type { ResolvedOptions } from "../core_option_table.ts";
import { type AskedCall, CallView } from "./authorization.ts";
import { askAll, type CallSubject } from "./authorize.ts";

/**
 * Asks the messenger's `authorize` about an action of a feature for the sender of a message.
 *
 * @param call The message, kept until the answer.
 * @param subject Facts of the feature.
 * @throws {ZeromeshError} `FORBIDDEN`, unless the answer is `true`.
 */
export async function authorizeFeature(
  { authorize, guard, curve, clock, timeoutMs }: ResolvedOptions,
  call: AskedCall,
  subject: CallSubject,
): Promise<void> {
  if (authorize === null) return;
  call.detach();
  const asked = askAll(guard, [authorize], new CallView(call, curve?.publicKey ?? null, subject));
  const late = () => new Error(`its promise did not settle within ${timeoutMs} ms`);
  const verdict = await hold(Promise.resolve(asked), { clock, timeoutMs, late }).catch((error) => {
    guard.failed("authorize", error);
    return "";
  });
  if (verdict === true) return;
  const why = `its instance does not let this caller do that${verdict === "" ? "" : `: ${verdict}`}`;
  throw new ZeromeshError("FORBIDDEN", `"${call.handlerName}" did not run: ${why}`, {
    handler: call.handlerName,
    ran: "no",
  });
}
