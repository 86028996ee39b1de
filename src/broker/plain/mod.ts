/**
 * Foreign programs: the door at which they register, and the sockets that carry their data.
 *
 * @module
 */
export { PlainDoor, type PlainDoorOptions, type PlainDoorStats } from "./door.ts";
export { type FrameProblem } from "./frames.ts";
export { PlainConsumer } from "./plain_consumer.ts";
export { type PlainKeys, plainKeys, plainOption, type PlainOptions } from "./plain_options.ts";
export { PlainProducer } from "./plain_producer.ts";
export { type PlainRoute } from "./plain_sockets.ts";
