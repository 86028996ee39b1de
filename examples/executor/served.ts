/** An executor behind a messenger: another instance sends messages to it, and gets the result of each. */
import { Messenger } from "zeromesh";
import { ActiveMessageExecutor, parseNotification, sendToExecutor, serveExecutor } from "zeromesh/executor";

await using worker = await Messenger.create();
await using executor = new ActiveMessageExecutor({ concurrency: 4 });
executor.registerHandlers({
  resize: (data) => {
    if (data.length === 0) throw new Error("there is no image");
  },
});
using _served = serveExecutor(worker, executor);

await using client = await Messenger.create({ listen: false });
const to = await client.connect(worker.endpoint);
for (const [prefix, size] of [["image_1", 3], ["image_2", 0]] as const) {
  const message = {
    messageType: "resize",
    messageData: new Uint8Array(size),
    responseNotification: prefix,
  };
  const { notification = "" } = await sendToExecutor(client, message, { to }) ?? {};
  const parsed = parseNotification(notification, prefix);
  console.log(parsed?.isSuccess ? `${prefix} is resized` : `${prefix} is not: ${parsed?.error}`);
}
