import { BrokerClient, type ChannelView } from "../broker/mod.ts";
import { readKeyPair } from "../mod.ts";
import { Messenger } from "../mod.ts";
import { commonHelp, commonOptions, noMore, numberOf, parse } from "./arguments.ts";
import { type Command, CommandFailed, UsageError, withMessenger } from "./command.ts";
import { oneLine } from "./output.ts";
import { intervalOf, repeat, watchOptions } from "./repeat.ts";
import { formatTable } from "./table.ts";

const defaultEndpoint = "tcp://127.0.0.1:5570";

/** `zeromesh channels`. */
export const channelsCommand: Command = {
  name: "channels",
  summary: "list the channels of a broker; with a name, describe one",
  help: `Usage: zeromesh channels [NAME] [options]

Lists the channels that a broker has, or describes the one that NAME names, with its schema.

  NAME                 a channel, or a glob of channels such as lab/*
  --connect ENDPOINT   the broker (default: ${defaultEndpoint})
  --keys FILE          your key pair ("zeromesh keys new FILE"), for a broker that uses CURVE
  --server-key KEY     the broker's public key
  --timeout MS         how long to wait for the broker (default: 5000)
  --watch              show it again and again: a terminal gets one table in place, other outputs get one after another
  --interval MS        the time between two tables (default: 2000)
${commonHelp}
                       with --watch each array is one line

Examples:
  zeromesh channels
  zeromesh channels 'lab/*' --watch
  zeromesh channels lab/temperature --connect tcp://10.0.0.7:5570 --keys me.json --server-key KEY

Exit status: 0 done, 1 the broker did not answer or has no such channel, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals: [name, ...more] } = parse(args, {
      ...commonOptions,
      connect: { type: "string" },
      keys: { type: "string" },
      "server-key": { type: "string" },
      timeout: { type: "string" },
      ...watchOptions,
    });
    noMore(more);
    const timeoutMs = numberOf("timeout", values.timeout, 5_000);
    const intervalMs = intervalOf(values, 2_000);
    if ((values.keys === undefined) !== (values["server-key"] === undefined)) {
      throw new UsageError("--keys FILE and --server-key KEY need each other");
    }
    const messenger = await Messenger.create({
      listen: false,
      ...(values.keys === undefined ? {} : { curve: readKeyPair(values.keys) }),
    });
    await withMessenger(messenger, async () => {
      await using client = await BrokerClient.connect(messenger, values.connect ?? defaultEndpoint, {
        serverKey: values["server-key"],
        timeoutMs,
        required: true,
        signal: io.signal,
      });
      const single = name !== undefined && !/[*?[{]/.test(name);
      const look = async (): Promise<ChannelView[]> => {
        await client.whenConnected({ timeoutMs, signal: io.signal });
        const channels = await client.listChannels(name);
        return single ? channels.filter((one) => one.name === name) : channels;
      };
      if (intervalMs !== null) {
        return await repeat(look, tableOf, { intervalMs, json: values.json === true, io });
      }
      const channels = await look();
      if (single && channels.length === 0) {
        io.error(oneLine(`there is no channel "${name}"`));
        throw new CommandFailed();
      }
      if (!single) {
        if (values.json === true) io.out(JSON.stringify(channels, null, 2));
        else for (const line of tableOf(channels)) io.out(line);
        return;
      }
      const [channel] = channels as [ChannelView];
      const schema = await client.querySchema(channel.name);
      if (values.json === true) io.out(JSON.stringify({ ...channel, schema }, null, 2));
      else for (const line of descriptionOf(channel, schema?.text ?? null)) io.out(line);
    });
  },
};

function tableOf(channels: readonly ChannelView[]): string[] {
  if (channels.length === 0) return ["the broker has no channels"];
  const rows = channels.map((one) =>
    [
      one.name,
      one.pattern,
      one.state,
      String(one.consumers),
      processText(one),
      one.schema.hash?.slice(0, 12) ?? "-",
    ].map(oneLine)
  );
  return formatTable(["CHANNEL", "PATTERN", "STATE", "CONSUMERS", "PRODUCER", "SCHEMA"], rows);
}

function processText({ producer: { name, host, pid, runtime } }: ChannelView): string {
  return `${name ?? "-"} ${host === "" ? "" : `${host}:`}${pid} ${runtime}`;
}

function descriptionOf(one: ChannelView, schema: string | null): string[] {
  const { producer } = one;
  const facts: [string, string][] = [
    ["channel", one.name],
    ["pattern", one.pattern],
    ["transport", one.transport],
    ["state", one.state],
    ["consumers", String(one.consumers)],
    ["producer", processText(one)],
    ["identity", producer.identity],
    ["instance", producer.instance],
    ["epoch", String(producer.epoch)],
    ["shared memory", one.sharedMemory ?? "-"],
    ["metadata", one.metadata === null ? "-" : JSON.stringify(one.metadata)],
    ["schema version", one.schema.version],
    ["schema hash", one.schema.hash ?? "-"],
    ["schema", schema ?? "-"],
  ];
  return facts.map(([label, text]) => `${label.padEnd(15)} ${oneLine(text)}`);
}
