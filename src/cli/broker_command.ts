import process from "node:process";
import { readKeyPair } from "../mod.ts";
import { Broker, type BrokerOptions } from "../broker/mod.ts";
import { commonHelp, commonOptions, noMore, numberOf, parse } from "./arguments.ts";
import type { Command } from "./command.ts";
import type { CommandIo } from "./output.ts";

/** `zeromesh broker`. */
export const brokerCommand: Command = {
  name: "broker",
  summary: "run a broker, by which producers and consumers of channels find each other",
  help: `Usage: zeromesh broker [options]

Runs a broker until an interrupt (Ctrl-C) or SIGTERM ends it. Prints what it serves. Channels and their data go on without
it, and clients come back when it is started again at the same endpoint.

  --endpoint ENDPOINT  where to listen, tcp://HOST:PORT or ipc://PATH; may be repeated
                       (default: tcp://127.0.0.1:5570)
  --plain-endpoint E   where programs in other languages register (ZeroMQ sockets with JSON); it has the same keys
  --advertise HOST     the host that clients get instead of the bound one
  --keys FILE          its key pair ("zeromesh keys new FILE"); without one it makes a pair at each start, unless it
                       listens on this host only
  --allow FILE         the public keys that may connect, one on a line; read again when it changes (default: all)
  --heartbeat MS       the time between two heartbeats of a client (default: 2000); three may be missed
  --verbose            log what happens
${commonHelp}
                       each line is {"listening", "plainEndpoint", "publicKey"}, then {"closed"}

Examples:
  zeromesh broker
  zeromesh broker --endpoint tcp://0.0.0.0:5570 --advertise broker.example.com --keys broker.json --allow clients.txt

Exit status: 0 ended by an interrupt or SIGTERM, 1 it could not be started, 2 wrong usage.`,
  async run(args, io) {
    const { values, positionals } = parse(args, {
      ...commonOptions,
      endpoint: { type: "string", multiple: true },
      "plain-endpoint": { type: "string" },
      advertise: { type: "string" },
      keys: { type: "string" },
      allow: { type: "string" },
      heartbeat: { type: "string" },
      verbose: { type: "boolean" },
    });
    noMore(positionals);
    const options: BrokerOptions = {
      endpoint: values.endpoint ?? "tcp://127.0.0.1:5570",
      plainEndpoint: values["plain-endpoint"],
      advertise: values.advertise,
      ...(values.keys === undefined ? {} : { keys: readKeyPair(values.keys) }),
      allowFile: values.allow,
      heartbeatMs: values.heartbeat === undefined ? undefined : numberOf("heartbeat", values.heartbeat, 0),
      ...(values.verbose === true ? { logger: console } : {}),
    };
    await using broker = await Broker.start(options);
    show(broker, values.keys !== undefined, values.json === true, io);
    await ended(io.signal);
    await broker.close();
    if (values.json === true) io.out(JSON.stringify({ closed: true }));
  },
};

function show(broker: Broker, kept: boolean, json: boolean, io: CommandIo): void {
  const { endpoints, plainEndpoint, publicKey } = broker;
  if (json) return io.out(JSON.stringify({ listening: endpoints, plainEndpoint, publicKey }));
  for (const endpoint of endpoints) io.out(`listening on ${endpoint}`);
  if (plainEndpoint !== null) io.out(`foreign programs register at ${plainEndpoint}`);
  if (publicKey === null) return io.out("without CURVE keys: the network is trusted");
  io.out(`public key ${publicKey}`);
  if (!kept) {
    io.out(
      'the key is another one at each start; "zeromesh keys new broker.json" and --keys broker.json keep it',
    );
  }
}

/** Resolves at an interrupt or SIGTERM. */
function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGTERM", () => resolve());
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
