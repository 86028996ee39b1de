import { copyFileSync } from "node:fs";
import { isAbsolute } from "node:path";
import { type LibraryInfo, openBackend } from "../../ffi/mod.ts";
import { commonHelp, commonOptions, noMore, parse } from "./arguments.ts";
import { type Command, UsageError } from "./command.ts";

/** `zeromesh libzmq`. */
export const libzmqCommand: Command = {
  name: "libzmq",
  summary: "print which libzmq is used, or copy one for a program in one file",
  help: `Usage: zeromesh libzmq [options]

Prints the version, the path and the capabilities of the libzmq that programs on this machine use.

  --copy FILE          copy a libzmq to FILE, to embed it in a compiled program:
                       the one of the npm package zeromq, or --library
  --library FILE       use this libzmq
${commonHelp}

Exit status: 0 done, 1 no libzmq was found, 2 wrong usage.`,
  async run(args, io) {
    const { values, positionals } = parse(args, {
      ...commonOptions,
      copy: { type: "string" },
      library: { type: "string" },
    });
    noMore(positionals);
    const json = values.json === true;
    if (values.copy === undefined) {
      const { version, path, origin, capabilities } =
        (await openBackend({ library: values.library })).library;
      const text = `libzmq ${version}, ${origin}: ${path}\ncapabilities: ${capabilities.join(", ")}`;
      io.out(json ? JSON.stringify({ version, path, origin, capabilities }, null, 2) : text);
    } else {
      const { version, path } = await libraryToEmbed(values.library);
      copyFileSync(path, values.copy);
      io.out(
        json
          ? JSON.stringify({ version, path, copy: values.copy })
          : `libzmq ${version}: ${path} -> ${values.copy}`,
      );
    }
  },
};

/**
 * The libzmq to embed into a compiled program: the named one, or the one of the npm package zeromq.
 *
 * @throws {ZeromeshError} `LIBZMQ_NOT_FOUND` if there is none.
 */
export async function libraryToEmbed(named: string | undefined): Promise<LibraryInfo> {
  const found = (await openBackend({ library: named, search: ["bundled"] })).library;
  if (!isAbsolute(found.path)) {
    throw new UsageError(`cannot embed ${found.path}: give its whole path`);
  }
  return found;
}
