/** Dials the endpoint of its argument, and reads and writes streams of numbers there until it is stopped. */
import process from "node:process";
import { Messenger, ZeromeshError } from "../../../src/mod.ts";
import { flow, flowing } from "../number_streams.ts";

const messenger = await Messenger.create({ listen: false, redialForMs: 0 });
const calls = flow(messenger, await messenger.connect(process.argv[2]!));
await flowing(calls);
console.log("flowing");
const codes = (await calls.ends).map((error) => error instanceof ZeromeshError ? error.code : String(error));
console.log(`ended ${codes.join(" ")}`);
