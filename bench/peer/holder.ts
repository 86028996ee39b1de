/** Many idle instances that do not listen and are connected to one server. */
import { Messenger } from "zeromesh";
import { runServer } from "./measure.ts";

const dialledAtOnce = 25;

await runServer(async (args) => {
  const endpoint = args.text("endpoints");
  const instances = args.number("instances");
  for (let left = instances; left > 0; left -= dialledAtOnce) {
    const some = Array.from({ length: Math.min(left, dialledAtOnce) }, async () => {
      const messenger = await Messenger.create({ listen: false });
      const to = await messenger.connect(endpoint, { timeoutMs: 20_000 });
      await messenger.unary("echo", { to, rawPayload: new Uint8Array(64) });
    });
    await Promise.all(some);
  }
  return { endpoints: [] };
});
