/** Two messengers in one process call each other; run with as few permissions as a test likes. */
import { Messenger, unaryHandler } from "zeromesh";
import { openBackend } from "zeromesh/ffi";

console.log(`libzmq is ${(await openBackend()).library.origin}`);
await using server = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
server.registerHandler(unaryHandler("double", ({ payload }) => payload.map((byte) => byte * 2)));
await using client = await Messenger.create();
const peer = await client.connect(server.endpoint);
const answer = await client.unary("double", { to: peer, rawPayload: new Uint8Array([1, 2, 3]) });
console.log(`answer ${answer.join()}`);
