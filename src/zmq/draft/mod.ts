/**
 * The draft sockets of ZeroMQ: the API of `zeromq/draft` of the npm package `zeromq` 6, for Bun and Deno.
 *
 * They exist where libzmq was built with them: `capability.draft` of `zeromesh/zmq` tells. Elsewhere the constructors
 * fail with an error that says so. Like `zeromesh/zmq`, importing it opens libzmq, if that needs no question to the user.
 *
 * @example Usage
 * ```ts ignore
 * import { Dish } from "zeromesh/zmq/draft";
 *
 * const dish = new Dish();
 * dish.join("news");
 * dish.connect("tcp://127.0.0.1:3000");
 * for await (const [message, { group }] of dish) console.log(`${group}: ${message}`);
 * ```
 *
 * @module
 */
export { Datagram } from "./datagram.ts";
export { Dish, type DishGroupOptions, Radio, type RadioGroupOptions } from "./radio_dish.ts";
export { Gather, Scatter } from "./scatter_gather.ts";
export { Client, Server, type ServerRoutingOptions } from "./server_client.ts";
