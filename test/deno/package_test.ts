/** The npm package as people get it: packed, unpacked into a project of its own, used from both runtimes. */
import { assertEquals, assertMatch } from "@std/assert";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { repositoryRoot, runtimeProgram } from "../support/runtime.ts";
import { spawnCommand } from "../support/spawn.ts";

const program = `import { contract, Messenger } from "zeromesh";
import { openBackend } from "zeromesh/ffi";
import { z } from "zod";
const add = contract("add", {
  input: z.object({ a: z.number(), b: z.number() }),
  output: z.object({ sum: z.number() }),
});
await using server = await Messenger.create({ endpoint: "tcp://127.0.0.1:0" });
server.handle(add, ({ input }) => ({ sum: input.a + input.b }));
await using client = await Messenger.create();
const { sum } = await client.typedUnary(add, { to: await client.connect(server.endpoint), payload: { a: 3, b: 4 } });
const typed: 0 extends 1 & typeof sum ? never : number = sum; // inferred, and not any
console.log("sum", typed, (await openBackend()).library.version);
`;

async function run(command: readonly string[], cwd: string): Promise<string> {
  await using child = spawnCommand(command, { cwd });
  const ended = await child.exit;
  const text = `${command.join(" ")}\n${child.outputText}${child.errorText}`;
  assertEquals(ended, { code: 0, signal: null }, text);
  return text;
}

Deno.test("the packed npm package works on Bun and Deno, with its types", async () => {
  const app = `${tmpdir()}/app`;
  const modules = `${app}/node_modules`;
  mkdirSync(`${modules}/zeromesh`, { recursive: true });
  await run([runtimeProgram("bun"), "pm", "pack", "--destination", app], repositoryRoot);
  const packed = readdirSync(app).find((name) => name.endsWith(".tgz"));
  await run(["tar", "-xzf", `${app}/${packed}`, "-C", `${modules}/zeromesh`, "--strip-components=1"], app);
  const { dependencies: packages } = JSON.parse(readFileSync(`${repositoryRoot}/package.json`, "utf8")) as {
    dependencies: Record<string, string>;
  };
  for (
    const name of [
      ...Object.keys(packages),
      "zeromq",
      "@types",
      "bun-types",
      "undici-types",
      "typescript",
    ]
  ) {
    // Deno makes links only with every right to read and write.
    await run(["ln", "-s", `${repositoryRoot}/node_modules/${name}`, `${modules}/${name}`], app);
  }
  writeFileSync(`${app}/main.ts`, program);
  const dependencies = { zeromesh: "*", zod: "*" };
  writeFileSync(`${app}/package.json`, JSON.stringify({ name: "app", type: "module", dependencies }));
  writeFileSync(`${app}/deno.json`, JSON.stringify({ nodeModulesDir: "manual", lock: false }));
  const strict = { strict: true, noEmit: true, module: "nodenext", target: "esnext", types: ["bun"] };
  writeFileSync(`${app}/tsconfig.json`, JSON.stringify({ compilerOptions: strict, include: ["main.ts"] }));

  const permissions = ["--allow-ffi", "--allow-read", "--allow-env"];
  const onDeno = [
    runtimeProgram("deno"),
    "run",
    "--quiet",
    "--no-prompt",
    "--check",
    ...permissions,
    "main.ts",
  ];
  assertMatch(await run(onDeno, app), /sum 7 \d+\.\d+\.\d+/);
  assertMatch(await run([runtimeProgram("bun"), "run", "main.ts"], app), /sum 7 \d+\.\d+\.\d+/);
  await run([runtimeProgram("bun"), "node_modules/typescript/bin/tsc", "-p", "."], app);
});
