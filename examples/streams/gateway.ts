/** An HTTP server that passes a model's tokens on as server-sent events. A browser that leaves stops the worker. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { Messenger, service } from "zeromesh";
import { LocalDiscovery } from "zeromesh/discovery";
import { generate } from "./contracts.ts";

const directory = process.argv[2];
const discovery = new LocalDiscovery({ mesh: "streams-example", directory });
await using messenger = await Messenger.create({ discovery, listen: false });
const model = messenger.client({ generate }, { to: service("model"), timeoutMs: 5_000 });

async function answer(url: URL, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const prompt = url.searchParams.get("prompt") ?? "";
  const tokens = Number(url.searchParams.get("tokens") ?? 10);
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  try {
    for await (const token of model.generate({ prompt, tokens }, { signal: gone.signal })) {
      // A browser that reads slowly holds up the worker.
      if (!response.write(`data: ${JSON.stringify(token)}\n\n`)) {
        await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
      }
    }
    response.end("event: end\ndata:\n\n");
  } catch (error) {
    if (gone.signal.aborted) return;
    response.end(`event: failed\ndata: ${JSON.stringify(String(error))}\n\n`);
  }
}

const server = createServer((request, response) => {
  void answer(new URL(request.url ?? "/", "http://gateway"), response);
});
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
});
server.listen(Number(process.argv[3] ?? 8080), "127.0.0.1", () => {
  console.log(`gateway at http://127.0.0.1:${(server.address() as AddressInfo).port}/?prompt=hello+world`);
});
await interrupted;
server.closeAllConnections();
server.close();
