/** Updates of an actor from files, seen from another process. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { type ActorRef, actorRef, type UpdateOptions, type UpdateResult } from "../../src/actors/mod.ts";
import { Sequence } from "../support/actor_sequence.ts";
import { type LeakCheck, leakCheck } from "../support/fixture.ts";
import {
  currentRuntime,
  longRun,
  peerRuntimes,
  repositoryRoot,
  type RuntimeName,
} from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { test } from "../support/testing.ts";
import { within } from "../support/until.ts";

/** The text of a module with an actor; `more` replaces parts of it. */
function moduleOf(version: number, more = ""): string {
  return `
    import { actor, Sequence } from "${repositoryRoot}/test/support/actor_sequence.ts";
    import { step } from "./step.ts";
    interface State { next: number; wrong: number }
    export default actor(Sequence, {
      version: ${version},
      init: (): State => ({ next: 0, wrong: 0 }),
      migrate: (old: State) => ({ ...old }),
      tell: { add: (ctx, n) => void (n === ctx.state.next ? ctx.state.next++ : ctx.state.wrong++) },
      ask: { state: (ctx) => ({ ...ctx.state, code: "${version} " + step }) },
      ${more}
    });`;
}

/** A folder with the module, and the process whose actor is updated from it. */
class Served implements AsyncDisposable {
  readonly root = mkdtempSync(`${tmpdir()}/zeromesh updates `);
  readonly module = `${this.root}/sequence.ts`;
  readonly ref: ActorRef<typeof Sequence>;
  readonly process: SpawnedProcess;
  #asked = 0;

  private constructor(process: SpawnedProcess, ref: ActorRef<typeof Sequence>) {
    this.process = process;
    this.ref = ref;
    this.write("package.json", "{}");
    this.write("step.ts", `export const step: string = "one";`);
  }

  static async start(t: LeakCheck, runtime: RuntimeName): Promise<Served> {
    const permissions = ["--allow-all", "--v8-flags=--expose-gc"];
    const process = t.use(spawnScript("test/process/actors_update_program.ts", [], { runtime, permissions }));
    const [, endpoint, peer] = (await process.waitForLine("ready")).split(" ");
    const client = await t.messenger({ listen: false });
    await client.connect(endpoint!);
    return t.use(new Served(process, actorRef(client, Sequence, `sequence@${peer}`)));
  }

  write(path: string, text: string): void {
    writeFileSync(`${this.root}/${path}`, text);
  }

  /** Updates the actor to what the module is now. */
  async update(options: UpdateOptions = {}): Promise<UpdateResult & { code?: string; message?: string }> {
    return await this.#ask(this.module, options) as UpdateResult;
  }

  async memory(): Promise<{ heap: number; rss: number }> {
    return await this.#ask(null) as { heap: number; rss: number };
  }

  async #ask(path: string | null, options: UpdateOptions = {}): Promise<unknown> {
    const number = ++this.#asked;
    this.process.write(`${JSON.stringify([number, path, options])}\n`);
    const line = await this.process.waitForLine(new RegExp(`^${number} `), 30_000);
    return JSON.parse(line.slice(line.indexOf(" ")));
  }

  async end(): Promise<void> {
    this.process.write("end\n");
    assert.deepEqual(await this.process.exit, { code: 0, signal: null }, this.process.errorText);
    assert.equal(existsSync(`${this.root}/.zeromesh`), false, "the copies outlive the program");
  }

  [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.root, { recursive: true, force: true });
    return Promise.resolve();
  }
}

const refusals: readonly { what: string; text: string; message: RegExp; options?: UpdateOptions }[] = [
  { what: "has an end too early", text: "export default actor(", message: /sequence\.ts/ },
  { what: "has a syntax error", text: "const = 1;\nexport default 1;", message: /sequence\.ts/ },
  { what: "throws at load", text: `throw new Error("not today");`, message: /sequence\.ts: not today/ },
  { what: "imports what is missing", text: `import "./none.ts";`, message: /none\.ts/ },
  { what: "exports no actor", text: "export default { version: 9 };", message: /must be made by actor\(\)/ },
  { what: "has no default export", text: "export const version = 9;", message: /must be made by actor\(\)/ },
  { what: "lacks a handler", text: moduleOf(9, "ask: {} as never,"), message: /state/ },
  {
    what: "has a migrate that throws",
    text: moduleOf(9, `migrate: (old: State): State => { old.next = -1; throw new Error("no way"); },`),
    message: /migrate failed: no way/,
  },
  {
    what: "has a migrate that never settles",
    text: moduleOf(9, `migrate: () => new Promise<State>(() => {}),`),
    message: /did not end within 50 ms/,
    options: { migrateTimeoutMs: 50 },
  },
];

for (const runtime of peerRuntimes) {
  test(`an actor on ${runtime} goes on as it was after each update from a file that fails, and the next good one loads`, async () => {
    await using t = await leakCheck();
    const served = await Served.start(t, runtime);
    const { ref } = served;
    let version = 0;
    let next = 0;
    let code = "first";
    for (const { what, text, message, options } of refusals) {
      served.write("sequence.ts", text);
      const refused = await served.update(options);
      assert.equal(refused.code, "ACTOR_UPDATE_FAILED", `a module that ${what}: ${JSON.stringify(refused)}`);
      assert.match(refused.message!, message);
      await ref.tell("add", next++);
      assert.deepEqual(await ref.ask("state"), { next, wrong: 0, code }, `after a module that ${what}`);
      served.write("sequence.ts", moduleOf(++version));
      assert.deepEqual(await served.update(), { fromVersion: version - 1, toVersion: version }, what);
      code = `${version} one`;
      assert.deepEqual(await ref.ask("state"), { next, wrong: 0, code }, `the version after it`);
    }
    served.write("step.ts", "export const step: string = ;");
    assert.equal((await served.update()).code, "ACTOR_UPDATE_FAILED");
    assert.equal((await ref.ask("state")).code, code);
    served.write("step.ts", `export const step: string = "two";`);
    assert.deepEqual(await served.update(), { fromVersion: version, toVersion: version });
    assert.deepEqual(await ref.ask("state"), { next, wrong: 0, code: `${version} two` });
    await served.end();
  });
}

const updates = longRun ? 200 : 20;
/** A version more may keep its module, and nothing that grows with the load. */
const mostBytes = 200_000;

for (const runtime of peerRuntimes) {
  test(`${updates} updates from a file on ${runtime} under load lose nothing, handle nothing twice, and keep the order`, async (context) => {
    await using t = await leakCheck();
    const served = await Served.start(t, runtime);
    const { ref } = served;
    let sent = 0;
    let over = false;
    const send = async (): Promise<void> => {
      while (!over) await ref.tell("add", sent++);
    };
    const sending = Promise.all(Array.from({ length: 32 }, send));
    let before = { heap: 0, rss: 0 };
    const seen: number[] = [];
    for (let version = 1; version <= updates; version++) {
      served.write("sequence.ts", moduleOf(version));
      assert.deepEqual(await served.update(), { fromVersion: version - 1, toVersion: version });
      seen.push((await ref.ask("state")).next);
      // The first ones load what all of them need.
      if (version === 5) before = await served.memory();
    }
    const after = await served.memory();
    over = true;
    await within(sending, 10_000, "the last tells");
    assert.deepEqual(await ref.ask("state"), { next: sent, wrong: 0, code: `${updates} one` });
    assert.ok(seen.every((count, i) => i === 0 || count > seen[i - 1]!), `no load: ${seen.join()}`);
    const each = (kind: "heap" | "rss"): number => Math.round((after[kind] - before[kind]) / (updates - 5));
    context.diagnostic(`${currentRuntime} to ${runtime}: ${each("heap")} B of heap, ${each("rss")} B in all`);
    if (longRun) assert.ok(each("heap") < mostBytes, `${each("heap")} B of heap an update`);
    await served.end();
  });
}
