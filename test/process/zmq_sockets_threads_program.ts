/**
 * A program whose threads share the default context: they talk over `inproc://`, one is terminated in the middle, and one
 * ends the context, which goes on for the others.
 */
import { once } from "node:events";
import process from "node:process";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import * as zmq from "zeromesh/zmq";

if (isMainThread) {
  zmq.context.ioThreads = 3;
  const reply = new zmq.Reply();
  await reply.bind("inproc://threads");
  for (const task of ["wait", "end the context"]) {
    const worker = new Worker(new URL(import.meta.url), { workerData: task });
    const [request] = await reply.receive();
    await reply.send("yes");
    const [said] = await once(worker, "message");
    console.log(`${request}, ${said}`);
    await worker.terminate();
  }
  // What is sent last leaves, though the terminated thread has not closed its socket.
  const push = new zmq.Push();
  push.connect(process.argv[2]!);
  await push.send("last");
} else {
  const request = new zmq.Request();
  request.connect("inproc://threads");
  await request.send(`${zmq.context.ioThreads} I/O threads`);
  const [answer] = await request.receive();
  // It waits for what does not come.
  const waiting = request.receive();
  if (workerData === "wait") parentPort!.postMessage(String(answer));
  else {
    const ended = waiting.catch((error: zmq.ErrnoError) =>
      parentPort!.postMessage(`${answer}, then ${error.code}`)
    );
    await zmq.context[Symbol.asyncDispose]();
    await ended;
  }
}
