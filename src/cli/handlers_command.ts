import type { HandlerDescription, JsonSchemaValue } from "../mod.ts";
import { commonHelp, noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";
import { connectionHelp, connectionOptions, instanceOf, withPeer } from "./connection.ts";
import { type CommandIo, oneLine } from "./output.ts";

/** `zeromesh handlers`. */
export const handlersCommand: Command = {
  name: "handlers",
  summary: "list the handlers of an instance with kinds and schemas",
  help: `Usage: zeromesh handlers PEER [options]

Lists the handlers of an instance with their kinds (am: no answer, unary: bytes, typed: by a contract) and the JSON
Schemas of input and output, if their validators can export them. A plain Velo node returns only names.

  PEER                 an instance id or an endpoint
  --all                also list the library's own handlers, whose names start with "_"
${connectionHelp}
${commonHelp}

Examples:
  zeromesh handlers tcp://127.0.0.1:5555
  zeromesh handlers tcp://127.0.0.1:5555 --json | jq '.[].name'

Exit status: 0 done, 1 the instance did not answer, 2 wrong usage, 130 interrupted.`,
  async run(args, io) {
    const { values, positionals } = parse(args, { ...connectionOptions, all: { type: "boolean" } });
    const [peer, ...more] = positionals;
    if (peer === undefined) throw new UsageError("PEER is missing");
    noMore(more);
    await withPeer(peer, values, io.signal, async (messenger, wait) => {
      const to = await instanceOf(messenger, peer, values, wait);
      const all = await messenger.listHandlers(to, { ...wait, schemas: true });
      const shown = all.filter(({ name }) => values.all === true || !name.startsWith("_"))
        .sort((a, b) => a.name < b.name ? -1 : 1);
      if (values.json === true) io.out(JSON.stringify(shown, null, 2));
      else print(shown, io);
    });
  },
};

function print(handlers: readonly HandlerDescription[], io: CommandIo): void {
  if (handlers.length === 0) {
    return io.error("the instance has no handlers; --all lists those of the library");
  }
  const width = Math.max(...handlers.map(({ name }) => oneLine(name).length));
  for (const { name, kind, input, output } of handlers) {
    io.out(`${oneLine(name).padEnd(width)}  ${kind ?? "-"}`);
    if (input !== undefined) io.out(`  input   ${schemaText(input)}`);
    if (output !== undefined) io.out(`  output  ${schemaText(output)}`);
  }
}

/** A schema in one line, without its dialect, which is the same for all. */
function schemaText(schema: JsonSchemaValue): string {
  return JSON.stringify(schema, (key, value) => key === "$schema" ? undefined : value);
}
