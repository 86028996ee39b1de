/** A service that Prometheus can scrape. It calls itself, so that its numbers change. */
import process from "node:process";
import { parseArgs } from "node:util";
import { contract, Messenger } from "zeromesh";
import { prometheusMeter } from "zeromesh/prometheus";
import { z } from "zod";

const help = `Runs a service with /metrics until Ctrl+C.

  --port PORT   where /metrics is served on 127.0.0.1 (9464; 0 is any free port)
  --help        this text`;

const square = contract("square", { input: z.number().min(0), output: z.number() });

async function serve(port: number): Promise<void> {
  const meter = prometheusMeter({ labels: { role: "example" } });
  await using server = await meter.serve({ port });
  await using messenger = await Messenger.create({ meter });
  messenger.handle(square, ({ input }) => input * input);

  await using caller = await Messenger.create({ listen: false });
  const to = await caller.connect(messenger.endpoint);
  let calls = 0;
  let last: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    last = caller.typedUnary(square, { to, payload: calls++ }).catch((error) => console.error(error));
  }, 50);

  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
  console.log(`metrics at ${server.url}`);
  await interrupted;
  clearInterval(timer);
  console.log("closing");
  await last;
}

try {
  const { values } = parseArgs({
    options: {
      port: { type: "string", default: "9464" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else await serve(Number(values.port));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
