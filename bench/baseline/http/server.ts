/**
 * Plain HTTP on Bun: a module's default export is served. The endpoint has a fixed port, since the module cannot ask
 * it.
 */
import { runServer } from "../../peer/measure.ts";
import { Arguments } from "../../peer/protocol.ts";

const endpoint = new Arguments().text("endpoint");

void runServer(() => Promise.resolve({ endpoints: [endpoint] }));

export default {
  hostname: "127.0.0.1",
  port: Number(new URL(endpoint).port),
  development: false,
  async fetch(request: Request): Promise<Response> {
    return new Response(await request.arrayBuffer());
  },
};
