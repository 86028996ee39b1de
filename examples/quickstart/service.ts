/** The service of the quick start. `main.ts` starts it. */
import process from "node:process";
import { Messenger } from "zeromesh";
import { listening, toldToEnd } from "../peer_process.ts";
import { add, bill, price } from "./contract.ts";

try {
  await using messenger = await Messenger.create();

  messenger.handle(add, ({ input }) => ({ sum: input.a + input.b }));

  messenger.handle(bill, async ({ input, senderInstanceId, messenger }) => {
    if (senderInstanceId === null) throw new Error("Cannot ask a caller that has not introduced itself");
    const caller = messenger.client({ price }, { to: senderInstanceId });
    const prices = await Promise.all(input.items.map((item) => caller.price({ item })));
    return { total: prices.reduce((total, one) => total + one.price, 0) };
  });

  console.log(`${listening}${messenger.endpoint}`);
  await toldToEnd();
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
