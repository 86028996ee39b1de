/** Forbidden patterns in the files of the library; `ARCHITECTURE.md` has the reasons. */
import { importsOf } from "./layers.ts";
import { codeOnly } from "./source_text.ts";
import { lineAt, type SourceFile } from "./tree.ts";

/** A pattern that is forbidden in some files. */
interface Rule {
  /** The problem, for people. */
  readonly what: string;
  /** The pattern, in code without comments and contents of strings. */
  readonly pattern: RegExp;
  /** Whether the rule applies to a file. */
  readonly holdsFor: (path: string) => boolean;
}

const inLibrary = (path: string): boolean => /^(?:src|ffi)\//.test(path);
const inSrc = (path: string): boolean => path.startsWith("src/") && !path.startsWith("src/cli/");
const forBothRuntimes = (path: string): boolean =>
  /^(?:test\/(?:conformance|process)|examples|bench)\//.test(path);

/** The rules; `test/unit/tools_checks_test.ts` violates each of them. */
export const rules: readonly Rule[] = [
  {
    what: "the runtimes' own globals stand only in ffi/ and src/runtime/",
    pattern: /(?<![.\w$#])(?:Bun|Deno)\s*[.[]|globalThis\.(?:Bun|Deno)\b/g,
    holdsFor: (path) => path.startsWith("src/") && !path.startsWith("src/runtime/"),
  },
  {
    what: "a file for both runtimes says nothing about a runtime",
    pattern: /(?<![.\w$#])(?:Bun|Deno)\s*[.[]|globalThis\.(?:Bun|Deno)\b/g,
    holdsFor: forBothRuntimes,
  },
  {
    what: "time and chance come from core/clock.ts, passed down",
    pattern:
      /(?<![.\w$#])(?:setTimeout|setInterval)\s*\(|\bDate\.now\b|\bnew Date\b(?!\(\s*[^\s)])|\bMath\.random\b|\bperformance\.now\b|\bAbortSignal\.timeout\b/g,
    holdsFor: (path) => inSrc(path) && path !== "src/core/clock.ts",
  },
  {
    what:
      "setImmediate belongs to those who share out turns: the reactor, the actors' scheduler, turn_share.ts",
    pattern: /(?<![.\w$#])setImmediate\s*\(/g,
    holdsFor: (path) =>
      inSrc(path) &&
      !/^src\/(?:libzmq\/reactor\w*|actors\/cell\/scheduler|streams\/turn_share)\.ts$/.test(path),
  },
  {
    what: "the environment is read only where libzmq is looked for, and by the command line",
    pattern: /\bprocess\.env\b/g,
    holdsFor: inSrc,
  },
  {
    what: "a library does not print: it calls the injected logger",
    pattern: /(?<![.\w$#])console\s*[.[]/g,
    holdsFor: (path) => inLibrary(path) && !path.startsWith("src/cli/"),
  },
  {
    what: "what only plain Velo needs stands in src/messenger/velo/, and sessions have a dialect",
    pattern: /\bzeromesh\b(?!\??:)|\b(?:[pP]lain|[vV]elo)\w*|\w+(?:Plain|Velo)\w*/g,
    holdsFor: (path) => path.startsWith("src/messenger/") && !path.startsWith("src/messenger/velo/"),
  },
  {
    what: "exports have names",
    pattern: /\bexport\s+default\b/g,
    holdsFor: inLibrary,
  },
  {
    what: "names are listed by hand, never export *",
    pattern: /\bexport\s+\*/g,
    holdsFor: inLibrary,
  },
  {
    what: "no any",
    pattern: /(?:[:<,|&(]|\bas|=>)\s*any\b(?!\s*[(:.])/g,
    holdsFor: () => true,
  },
  {
    what: "no enum: only syntax that can be erased",
    pattern: /(?:^|\n)\s*(?:export\s+)?(?:declare\s+)?(?:const\s+)?enum\s+\w/g,
    holdsFor: () => true,
  },
  {
    what: "waiting in tests is done by test/support/until.ts",
    pattern: /(?:\bawait\s+new\s+Promise\b[^;]*\bsetTimeout\s*\()/g,
    holdsFor: (path) => /^test\/(?:conformance|process|deno)\/.*_test\.ts$/.test(path),
  },
];

/** The violations of the rules. */
export function ruleProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  for (const file of files) {
    const code = codeOnly(file.text);
    for (const rule of rules) {
      if (!rule.holdsFor(file.path)) continue;
      for (const match of code.matchAll(rule.pattern)) {
        const line = lineAt(code, match.index + match[0].length - match[0].trimStart().length);
        problems.push(`${file.path}:${line}: ${match[0].trim()}: ${rule.what}`);
      }
    }
    if (!forBothRuntimes(file.path)) continue;
    for (const { specifier, line } of importsOf(file)) {
      if (!/^(?:bun$|bun:|jsr:)/.test(specifier)) continue;
      problems.push(`${file.path}:${line}: ${specifier}: a file for both runtimes says nothing about one`);
    }
  }
  return problems;
}

/** The most lines of a file of the library. */
export const longestFile = 400;

/** Longer files, with the reason why they are not split. */
export const longFiles: Readonly<Record<string, string>> = {
  "ffi/constants.ts": "a table: libzmq's constants",
};

/** Files that are too long or badly named. */
export function fileProblems(files: readonly SourceFile[]): string[] {
  const problems: string[] = [];
  for (const { path, text } of files) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const lines = text.trimEnd().split("\n").length;
    if (inLibrary(path) && lines > longestFile && longFiles[path] === undefined) {
      problems.push(`${path}: ${lines} lines, more than ${longestFile}: it has two reasons to exist`);
    }
    if (!/^[a-z0-9_]+(?:\.d)?\.ts$/.test(name)) problems.push(`${path}: file names are snake_case`);
    if (inLibrary(path) && /^(?:types|utils?|helpers?|common)\.ts$/.test(name)) {
      problems.push(`${path}: a file is named after its main symbol`);
    }
  }
  for (const path of Object.keys(longFiles)) {
    const file = files.find((one) => one.path === path);
    if (file !== undefined && file.text.trimEnd().split("\n").length <= longestFile) {
      problems.push(`${path}: is not long any more; take it out of longFiles in tools/checks/rules.ts`);
    }
  }
  return problems;
}
