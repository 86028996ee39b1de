/** Nothing in the repository depends on where it lies: no path leads out of it, none is of one machine. */
import { homedir } from "node:os";
import { posix } from "node:path";
import { repositoryRoot } from "../../test/support/runtime.ts";
import { lineAt, type TextFile } from "./tree.ts";

/**
 * Paths that lead out of the repository.
 *
 * @param files The files to look at.
 * @param machine Paths of this machine that nothing may name.
 */
export function placeProblems(
  files: readonly TextFile[],
  machine: readonly string[] = [repositoryRoot, `${homedir()}/`],
): string[] {
  const problems: string[] = [];
  for (const { path, text } of files) {
    for (const name of machine) {
      // A short one, such as "/", is no path of one machine.
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

/** How many folders a file lies below the root. */
function depthOf(path: string): number {
  const folder = posix.dirname(path);
  return folder === "." ? 0 : folder.split("/").length;
}
