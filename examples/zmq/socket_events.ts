/** Socket events: what happens to the connections of a socket. */
import { Dealer, Router } from "zeromesh/zmq";

const router = new Router();
const dealer = new Dealer();

const watching = (async () => {
  for await (const event of router.events) {
    switch (event.type) {
      case "accept":
      case "handshake":
      case "disconnect":
        console.log(`router: ${event.type}`);
        if (event.type === "disconnect") return;
        break;
      case "bind:error":
        console.log(`router: ${event.error.message}`);
        break;
    }
  }
})();

const connected = Promise.withResolvers<void>();
dealer.events.on("handshake", () => connected.resolve());
dealer.events.on(
  "connect",
  ({ address }) => console.log(`dealer: connected to ${address.replace(/\d+$/, "PORT")}`),
);

await router.bind("tcp://127.0.0.1:*");
dealer.connect(router.lastEndpoint!);
await connected.promise;
dealer.close();
await watching;
router.close();
