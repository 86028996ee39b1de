/** The snippets of README and of the guides, and the programs that they stand for. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { repositoryRoot } from "../support/runtime.ts";

const guidesFolder = "docs/guides";

/** README, the page of metrics and every guide, from the root. A new guide is one by lying in the folder. */
export const documents: readonly string[] = [
  "README.md",
  "docs/metrics.md",
  ...readdirSync(`${repositoryRoot}/${guidesFolder}`)
    .filter((name) => name.endsWith(".md"))
    .sort()
    .map((name) => `${guidesFolder}/${name}`),
];

/** A fenced block of a document. */
export interface Block {
  /** Its language: the first word of the fence. */
  readonly language: string;
  /** The text of the fence after the language. */
  readonly note: string;
  /** The text between the fences. */
  readonly text: string;
  /** The document's line of the first fence, from 1. */
  readonly line: number;
}

/** A document's text. */
export function textOf(document: string): string {
  return readFileSync(`${repositoryRoot}/${document}`, "utf8");
}

/** A document's fenced blocks. */
export function blocksIn(text: string): Block[] {
  return [...text.matchAll(/^```(\w+) *(.*)\n([^]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? "",
    note: match[2] ?? "",
    text: match[3] ?? "",
    line: text.slice(0, match.index).split("\n").length,
  }));
}

/**
 * What becomes of a TypeScript snippet: it is run; or, as `file=NAME`, it is a file that other snippets and the
 * commands of the same document use; or, as `no-run REASON`, it is only checked.
 */
export type Use = { readonly kind: "run" | "check" } | { readonly kind: "file"; readonly name: string };

/** Reads from the fence of a snippet what to do with it. */
export function useOf(document: string, { note, line }: Block): Use {
  if (note === "") return { kind: "run" };
  const name = /^file=([\w-]+\.ts)$/.exec(note)?.[1];
  if (name !== undefined) return { kind: "file", name };
  assert.match(note, /^no-run (?:\S+ ){2,}\S+$/, `${document}:${line}: say "no-run" and, in words, why`);
  return { kind: "check" };
}

const contractOfReadme = /^const add = .*$/m.exec(textOf("README.md"))?.[0] ?? "";

/**
 * A snippet as a program. One that imports something is whole; another one gets what the documents say it is in:
 * both sides' messengers, the peer, the contract, the client.
 */
export function programOf(snippet: string): string {
  if (/^import /m.test(snippet)) return snippet;
  // Whoever waits for what comes next has it come: the other side goes, then this one.
  const meanwhile = snippet.includes(".status()")
    ? "void service.close().then(() => messenger.close());"
    : "";
  return `import { acknowledge, amHandler, contract, curveKeyPair, eventHandle, Messenger, stream, unaryHandler, ZeromeshError } from "zeromesh";
import { z } from "zod";
${contractOfReadme}
await using service = await Messenger.create();
service.handle(add, ({ input }) => input.a + input.b);
await using messenger = await Messenger.create();
const peer = await messenger.connect(service.endpoint);
const calc = messenger.client({ add }, { to: peer });
${meanwhile}
{
${snippet}
}
`;
}

/** The lines that a snippet says it prints: comments behind statements that print. */
export function outputSaidBy(snippet: string): string[] {
  return [...snippet.matchAll(/console\.log\(.*; \/\/ (.+)$/gm)].map((match) => match[1] ?? "");
}
