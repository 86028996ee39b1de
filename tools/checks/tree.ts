import { readdirSync, readFileSync } from "node:fs";
import { extname } from "node:path";
import { repositoryRoot } from "../../test/support/runtime.ts";
import { withoutComments } from "./source_text.ts";

/** A text file of the repository. */
export interface TextFile {
  /** Path relative to the repository's root, with `/`. */
  readonly path: string;
  /** Content. */
  readonly text: string;
}

/** A TypeScript file of the repository. */
export interface SourceFile extends TextFile {
  /** The same text with comments replaced by spaces, so that lines and columns stay. */
  readonly code: string;
}

const ignoredFolders = new Set(["node_modules", "dist", "results"]);
const textExtensions = new Set([
  ...["", ".ts", ".js", ".mjs", ".json", ".md", ".toml", ".sh", ".yml", ".yaml", ".txt", ".c", ".h", ".rs"],
  ".py",
]);

/** The text files of the repository that can be committed. */
export function textFiles(): TextFile[] {
  return list("").filter((path) => textExtensions.has(extname(path)))
    .map((path) => ({ path, text: readFileSync(`${repositoryRoot}/${path}`, "utf8") }));
}

/** The TypeScript files of the repository. */
export function sourceFiles(files: readonly TextFile[] = textFiles()): SourceFile[] {
  return files.filter((file) => file.path.endsWith(".ts")).map((file) => sourceFile(file.path, file.text));
}

/** A source file from its text; also used by tests. */
export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: withoutComments(text) };
}

/** The line number of an index in a text. */
export function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

function list(folder: string): string[] {
  const paths: string[] = [];
  for (const entry of readdirSync(`${repositoryRoot}/${folder}`, { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      // Other folders that begin with a dot belong to tools.
      const hidden = entry.name.startsWith(".") && ![".ci", ".github"].includes(entry.name);
      if (!hidden && !ignoredFolders.has(entry.name)) paths.push(...list(path));
    } else if (entry.isFile()) {
      paths.push(path);
    }
  }
  return paths.sort();
}
