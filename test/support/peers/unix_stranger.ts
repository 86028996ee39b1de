/** `unix_stranger.ts PATH`: listens at a path, hangs up on whoever comes, and says so. */
import { createServer } from "node:net";
import process from "node:process";

createServer((socket) => {
  socket.on("error", () => {}).destroy();
  console.log("came");
}).listen(process.argv[2], () => console.log("ready"));
