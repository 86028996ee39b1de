import { closeSync, openSync, unlinkSync, writeFileSync } from "node:fs";
import { curveKeyPair, readKeyPair } from "../mod.ts";
import { commonHelp, commonOptions, noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";

/** `zeromesh keys`. */
export const keysCommand: Command = {
  name: "keys",
  summary: "make a CURVE key pair in a file, or show its public key",
  help: `Usage: zeromesh keys new FILE [options]
       zeromesh keys show FILE [options]

"new" makes a key pair and writes it to FILE, as JSON with publicKey and secretKey. Only you can read the file (mode 0600).
"new" never overwrites a file. "show" prints the public key of FILE. The secret key is never printed.

${commonHelp}

The operator of a service gives you its public key, and adds yours to its list (curve.allow):
  zeromesh keys new me.json
  zeromesh ping tcp://HOST:PORT --keys me.json --server-key KEY

In a program, readKeyPair("me.json") reads the same file:
  await Messenger.create({ curve: readKeyPair("me.json") })

Exit status: 0 done, 1 the file exists already (new) or cannot be used (show), 2 wrong usage.`,
  async run(args, io) {
    const { values, positionals } = parse(args, commonOptions);
    const [action, file, ...more] = positionals;
    if (action !== "new" && action !== "show") {
      throw new UsageError(
        `use "keys new FILE" or "keys show FILE"${action === undefined ? "" : `, not "${action}"`}`,
      );
    }
    if (file === undefined) throw new UsageError("FILE is missing");
    noMore(more);
    const { publicKey } = action === "new" ? await writeNewKeys(file) : readKeyPair(file);
    io.out(values.json === true ? JSON.stringify({ file, publicKey }, null, 2) : publicKey);
  },
};

async function writeNewKeys(file: string): Promise<{ publicKey: string }> {
  const { publicKey, secretKey } = await curveKeyPair();
  const descriptor = create(file);
  try {
    writeFileSync(descriptor, `${JSON.stringify({ publicKey, secretKey }, null, 2)}\n`);
  } catch (error) {
    unlinkSync(file);
    throw error;
  } finally {
    closeSync(descriptor);
  }
  return { publicKey };
}

/** "wx" fails if the name exists, also for a link. */
function create(file: string): number {
  try {
    return openSync(file, "wx", 0o600);
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    throw new Error(`${file} exists already, and keys are never overwritten; choose another name`, {
      cause: error,
    });
  }
}
