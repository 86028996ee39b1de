/** Checks the documentation of entry points, and the statements of README about commands and permissions. */
import type { TextFile } from "./tree.ts";

/** Entry points without a module comment that has a title and an example. */
export function moduleDocProblems(files: readonly TextFile[]): string[] {
  const problems: string[] = [];
  for (const { path, text } of files) {
    const comment = /^\/\*\*[\s\S]*?\*\//.exec(text)?.[0];
    if (comment === undefined || !/@module\b/.test(comment)) {
      problems.push(`${path}: an entry point opens with a comment that has @module`);
    } else if (!/```ts/.test(comment)) {
      problems.push(`${path}: its @module comment has no example`);
    }
  }
  return problems;
}

/** Public declarations with the type `any`, from `deno doc --json`. */
export function anyProblems(doc: unknown): string[] {
  const problems: string[] = [];
  const visit = (value: unknown, trail: readonly string[]): void => {
    if (Array.isArray(value)) {
      for (const item of value) visit(item, trail);
    } else if (typeof value === "object" && value !== null) {
      const node = value as Record<string, unknown>;
      const here = typeof node["name"] === "string" ? [...trail, node["name"]] : trail;
      if (node["kind"] === "keyword" && (node["keyword"] === "any" || node["value"] === "any")) {
        problems.push(`${here.join(".")}: its public type has an any`);
      }
      for (const [key, inner] of Object.entries(node)) visit(inner, key === "nodes" ? [] : here);
    }
  };
  visit(doc, []);
  return [...new Set(problems)];
}

/** Wrong statements of README. */
export function readmeProblems(
  readme: string,
  facts: { scripts: readonly string[]; permissions: readonly string[] },
): string[] {
  const problems: string[] = [];
  for (const permission of facts.permissions) {
    if (!readme.includes(permission)) {
      problems.push(`README.md: does not name ${permission}, which the tests use`);
    }
  }
  for (
    const match of readme.matchAll(/\b(?:npm run|bun run|deno task)\s+(?:-s\s+)?([a-z][a-z:]*)(?![\w./-])/g)
  ) {
    const name = match[1] ?? "";
    if (!facts.scripts.includes(name)) problems.push(`README.md: "${match[0]}", but there is no such script`);
  }
  return problems;
}
