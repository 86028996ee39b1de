/** CURVE with a list of allowed clients: a ZAP handler decides, by public key, which clients may connect. */
import type { Buffer } from "node:buffer";
import { capability, curveKeyPair, Dealer, Reply, Request, Router } from "zeromesh/zmq";

/** Answers libzmq's questions about clients. It must be bound before the first client connects. */
async function authenticate(handler: Reply, allowed: readonly string[]): Promise<void> {
  for await (const [version, id, , , , mechanism, key] of handler) {
    const admitted = String(mechanism) === "CURVE" && allowed.includes(textOfKey(key!));
    const status = admitted ? ["200", "OK"] : ["400", "This key is not on the list"];
    await handler.send([version!, id!, ...status, admitted ? textOfKey(key!) : "", ""]);
  }
}

const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/** A key of 32 bytes as text of 40 characters (Z85). */
function textOfKey(key: Buffer): string {
  let text = "";
  for (let at = 0; at < key.length; at += 4) {
    const value = key.readUInt32BE(at);
    for (let power = 4; power >= 0; power--) text += alphabet[Math.floor(value / 85 ** power) % 85];
  }
  return text;
}

if (!capability.curve) throw new Error("This libzmq was built without CURVE");
const server = curveKeyPair();
const friend = curveKeyPair();
const stranger = curveKeyPair();

const handler = new Reply();
await handler.bind("inproc://zeromq.zap.01");
const authenticating = authenticate(handler, [friend.publicKey]);

const service = new Router({ curveServer: true, curveSecretKey: server.secretKey, zapDomain: "example" });
await service.bind("tcp://127.0.0.1:*");
const serving = (async () => {
  for await (const [client, , question] of service) await service.send([client!, "", `you said ${question}`]);
})();

const keysOf = (pair: typeof friend) => ({
  curveServerKey: server.publicKey,
  curvePublicKey: pair.publicKey,
  curveSecretKey: pair.secretKey,
});
const request = new Request({ ...keysOf(friend), receiveTimeout: 5_000 });
request.connect(service.lastEndpoint!);
await request.send("hello");
console.log(`the friend hears: ${await request.receive()}`);

const refused = new Dealer({ ...keysOf(stranger), linger: 0 });
refused.events.on("handshake:error:auth", ({ error }) => {
  console.log(`the stranger hears: ${error.message} (${error.status})`);
  refused.close();
  request.close();
  service.close();
  handler.close();
});
refused.connect(service.lastEndpoint!);
await Promise.all([authenticating, serving]);
