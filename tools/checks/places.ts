/** Checks that the repository does not depend on its place: no path leads out of it or belongs to one machine. */
import { homedir } from "node:os";
import { posix } from "node:path";
import { repositoryRoot } from "../../test/support/runtime.ts";
import { lineAt, type TextFile } from "./tree.ts";

/**
 * Paths that lead out of the repository.
 *
 * @param files The checked files.
 * @param machine Paths of this machine that must not occur.
 */
export function placeProblems(
  files: readonly TextFile[],
  machine: readonly string[] = [repositoryRoot, `${homedir()}/`],
): string[] {
  const problems: string[] = [];
  for (const { path, text } of files) {
    for (const name of machine) {
      // Short names, such as "/", are not specific to a machine.
      const index = name.length < 5 ? -1 : text.indexOf(name);
      if (index >= 0) problems.push(`${path}:${lineAt(text, index)}: names ${name}, a path of this machine`);
    }
    for (const match of text.matchAll(/(?<![\w./\\$})…-])((?:\.\.\/)+)[\w.@-]*/g)) {
      const steps = (match[1] ?? "").length / 3;
      if (steps > depthOf(path)) {
        problems.push(`${path}:${lineAt(text, match.index)}: ${match[0]} leads out of the repository`);
      }
    }
  }
  return problems;
}

/** The depth of a file below the root. */
function depthOf(path: string): number {
  const folder = posix.dirname(path);
  return folder === "." ? 0 : folder.split("/").length;
}
