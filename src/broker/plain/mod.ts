/**
 * Foreign programs: the door at which they register, and the sockets that carry their data.
 *
 * @module
 */
export { PlainDoor, type PlainDoorOptions, type PlainDoorStats } from "./door.ts";
export { type FrameProblem } from "./frames.ts";
