/** The program of `zmq_sockets_process_test.ts`: `zmq_sockets_program.ts WHAT`. */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import * as zmq from "zeromesh/zmq";

/** Sockets that stay in use. */
const kept: zmq.Socket[] = [];

const doings: Readonly<Record<string, () => Promise<void> | void>> = {
  /** Open, bound, connected and observed, but nobody waits. */
  async idle() {
    const [pull, push] = [new zmq.Pull(), new zmq.Push()];
    await pull.bind("tcp://127.0.0.1:*");
    push.connect(pull.lastEndpoint!);
    void pull.events;
    kept.push(pull, push);
    await push.send("nobody reads it");
    console.log("done");
  },
  /** Nothing but the sockets. */
  none() {
    kept.push(new zmq.Dealer(), new zmq.Dealer({ context: new zmq.Context() }));
    console.log("done");
  },
  /** A receive that waits. */
  async receive() {
    const pull = new zmq.Pull();
    await pull.bind("tcp://127.0.0.1:*");
    console.log("waiting");
    const [message] = await pull.receive();
    console.log(`got ${message}`);
  },
  /** A send that waits. */
  async send() {
    console.log("waiting");
    await new zmq.Dealer().send("nobody is there");
  },
  /** A reader of events that waits. */
  async events() {
    console.log("waiting");
    await new zmq.Dealer().events.receive();
  },
  /** What is sent is delivered although the program ends. */
  async last() {
    const push = new zmq.Push();
    push.connect(process.argv[3]!);
    for (let i = 0; i < 100; i++) await push.send(String(i));
    console.log("done");
  },
  /** Much has arrived that nobody reads. Prints the processor time of a second, in milliseconds. */
  async unread() {
    for (let i = 0; i < 20; i++) {
      const [pull, push] = [new zmq.Pull(), new zmq.Push({ linger: 0 })];
      await pull.bind("tcp://127.0.0.1:*");
      push.connect(pull.lastEndpoint!);
      for (let j = 0; j < 500; j++) await push.send(`message ${j}`);
      // Each has been read from once, so that it is known to the wait.
      await pull.receive();
      kept.push(pull, push);
    }
    const proxy = new zmq.Proxy(new zmq.Pull(), new zmq.Push({ linger: 0 }));
    await proxy.frontEnd.bind("inproc://paused");
    await proxy.backEnd.bind("inproc://nobody");
    const running = proxy.run();
    proxy.pause();
    const source = new zmq.Push({ linger: 0 });
    source.connect("inproc://paused");
    for (let j = 0; j < 500; j++) await source.send(`message ${j}`);
    kept.push(source);
    const waiting = new zmq.Pull();
    await waiting.bind("inproc://waiting");
    const received = waiting.receive().catch(() => {});
    await pause(300);
    const before = process.cpuUsage();
    await pause(1_000);
    const { user, system } = process.cpuUsage(before);
    console.log(`used ${Math.round((user + system) / 1_000)}`);
    proxy.terminate();
    await running;
    waiting.close();
    for (const socket of kept) socket.close();
    await received;
  },
};

await doings[process.argv[2]!]!();
