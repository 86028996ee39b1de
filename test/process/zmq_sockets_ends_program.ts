/** Programs of zmq_sockets_ends_test.ts, which look at ends and garbage. */
import process from "node:process";
import * as zmq from "zeromesh/zmq";
import { collectGarbage } from "../support/collect.ts";
import { pause, until } from "../support/until.ts";

const [task = "", endpoint = ""] = process.argv.slice(2);

async function code(operation: () => Promise<unknown>): Promise<string> {
  try {
    await operation();
    return "done";
  } catch (error) {
    return (error as zmq.ErrnoError).code;
  }
}

const tasks: Record<string, () => Promise<void>> = {
  async sends() {
    const push = new zmq.Push();
    push.connect(endpoint);
    for (let i = 0; i < 1_000; i++) await push.send(String(i));
    process.exit(0);
  },
  async lingers() {
    // Nobody listens at port 1.
    const push = new zmq.Push({ linger: 700 });
    push.connect("tcp://127.0.0.1:1");
    await push.send("nobody takes this");
  },
  async collects() {
    const warnings: string[] = [];
    process.on("warning", (warning) => void warnings.push(warning.message));
    const pull = new zmq.Pull();
    await pull.bind("tcp://127.0.0.1:*");
    const address = pull.lastEndpoint!;
    pull.close();
    const forget = async () => {
      for (let i = 0; i < 20; i++) new zmq.Pull().connect("inproc://forgotten");
      await until(async () => await code(() => new zmq.Pull().bind(address)) === "done");
    };
    await forget();
    let message = "";
    (() => {
      const waiting = new zmq.Pull();
      waiting.connect("inproc://waits");
      void waiting.receive().then(([part]) => message = String(part));
    })();
    // The forgotten socket has released its address.
    await until(async () => {
      collectGarbage();
      await pause(5);
      const again = new zmq.Pull();
      const outcome = await code(() => again.bind(address));
      again.close();
      return outcome === "done";
    }, { timeoutMs: 10_000, message: "the address of a forgotten socket" });
    const push = new zmq.Push();
    await push.bind("inproc://waits");
    await push.send("a socket with a waiting receive is kept");
    await until(() => message !== "");
    push.close();
    console.log(message);
    console.log(`${warnings.length} warning`);
  },
};

await tasks[task]!();
