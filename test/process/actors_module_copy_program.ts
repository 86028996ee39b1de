/** Loads modules by copies: a line of input is a path and limits, a line of output the result. */
import { createInterface } from "node:readline";
import process from "node:process";
import { copyModule } from "../../src/actors/update/module_copy.ts";

console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "end") break;
  const [path, limits] = JSON.parse(line) as [string, Record<string, number>];
  try {
    const copy = await copyModule(path, limits);
    const loaded = (await import(copy.specifier)) as { default: () => unknown };
    console.log(JSON.stringify({ ...copy, value: await loaded.default() }));
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    console.log(JSON.stringify({ code, message }));
  }
}
// The interface would keep the process alive.
process.exit();
