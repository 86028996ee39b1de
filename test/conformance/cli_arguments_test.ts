/** What the command line says of options that it does not have, or that are given in a wrong way. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "../../src/cli/arguments.ts";
import { UsageError } from "../../src/cli/command.ts";

const options = {
  connect: { type: "string" },
  watch: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

const wrong: [args: string[], says: string][] = [
  [["--what"], "there is no option --what; --help lists them all"],
  [["--what=3"], "there is no option --what; --help lists them all"],
  [["-x"], "there is no option -x; --help lists them all"],
  [["-hx"], "there is no option -x; --help lists them all"],
  [["--connect"], "--connect needs a value"],
  [
    ["--connect", "--watch"],
    '--connect needs a value; one that begins with "-" is written as --connect=VALUE',
  ],
  [["--watch=yes"], "--watch takes no value"],
];
for (const [args, says] of wrong) {
  test(`${args.join(" ")} is refused in words of the program`, () => {
    assert.throws(() => parse(args, options), (error: unknown) => {
      assert.ok(error instanceof UsageError);
      assert.equal(error.message, says);
      return true;
    });
  });
}
