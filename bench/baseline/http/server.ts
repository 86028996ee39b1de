/**
 * Plain HTTP on Bun: what a module exports as its default is served. The endpoint has its port already, since
 * the module is not told which one it got.
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
