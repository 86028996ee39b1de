/** Takes the promises of README from its text, and makes a project in which they are tried. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";
import { within } from "../support/until.ts";
import { textOf } from "./documents.ts";

/** README's text. */
export const readme: string = textOf("README.md");

/** The first group of a pattern that README has to have. */
export function found(pattern: RegExp): string {
  const match = pattern.exec(readme)?.[1];
  assert.ok(match !== undefined, `README has no ${pattern}`);
  return match;
}

/** Runs a command to its end, which has to be a good one, and returns what it printed. */
export async function mustRun(
  command: readonly string[],
  cwd: string,
  timeoutMs = 60_000,
): Promise<string> {
  await using child = spawnCommand(command, { cwd });
  const exit = await within(child.exit, timeoutMs, `${command.join(" ")} to end`);
  assert.deepEqual(
    exit,
    { code: 0, signal: null },
    `${command.join(" ")}\n${child.outputText}${child.errorText}`,
  );
  return child.outputText;
}

/** A project of one's own with the packed package in it, as README has one make it. */
export class OwnProject {
  /** Where it lies. */
  readonly folder: string = mkdtempSync(`${tmpdir()}/readme-`);

  /** Packs the package, unpacks it into the project, and links what it depends on. */
  static async create(): Promise<OwnProject> {
    const project = new OwnProject();
    const { folder } = project;
    const modules = `${folder}/node_modules`;
    mkdirSync(`${modules}/zeromesh`, { recursive: true });
    // A run of many files has packed it for all of them.
    const there = process.env["ZEROMESH_PACKED"] ?? folder;
    if (there === folder) {
      await mustRun([runtimeProgram("bun"), "pm", "pack", "--destination", folder], repositoryRoot);
    }
    const packed = readdirSync(there).filter((name) => name.endsWith(".tgz"));
    assert.deepEqual(packed, [found(/`(zeromesh-[\d.]+\.tgz)`/)]);
    const into = [`${modules}/zeromesh`, "--strip-components=1"];
    await mustRun(["tar", "-xzf", `${there}/${packed[0]}`, "-C", ...into], folder);
    const { dependencies } = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as {
      dependencies: Record<string, string>;
    };
    for (
      const name of [...Object.keys(dependencies), "zeromq", "@nats-io", "prom-client", "@opentelemetry"]
    ) {
      // Deno makes links only with every right to read and write.
      await mustRun(["ln", "-s", `${repositoryRoot}/node_modules/${name}`, `${modules}/${name}`], folder);
    }
    project.write("package.json", `{ "type": "module", "dependencies": { "zeromesh": "*", "zod": "*" } }`);
    return project;
  }

  /** Writes a file and returns its path. */
  write(name: string, text: string): string {
    const path = `${this.folder}/${name}`;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }
}
