import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { discoveryPermissions } from "../support/discovery_peers.ts";
import { occupiedPort } from "../support/ports.ts";
import { allRuntimes, longRun, productPermissions, type RuntimeName } from "../support/runtime.ts";
import { type Exit, type SpawnedProcess, spawnScript } from "../support/spawn.ts";
import { within } from "../support/until.ts";

const anyPort = "tcp://127.0.0.1:0";
const duration = String.raw`\d+(?:\.\d)? (?:µs|ms)`;
const pairs = allRuntimes.flatMap((service) => allRuntimes.map((client) => ({ service, client })))
  // Daily each program on each runtime.
  .filter(({ service, client }) => longRun || service !== client);

interface Ended extends Exit {
  readonly output: string;
  readonly errors: string;
}

function start(name: string, args: readonly string[], runtime: RuntimeName): SpawnedProcess {
  const permissions = name === "ping_pong" ? [...productPermissions, "--allow-run"] : productPermissions;
  return spawnScript(`examples/${name}.ts`, args, { runtime, permissions });
}

async function run(name: string, args: readonly string[], runtime: RuntimeName): Promise<Ended> {
  await using child = start(name, args, runtime);
  const exit = await within(child.exit, 30_000, `${name} to end`);
  return { ...exit, output: child.outputText, errors: child.errorText };
}

async function listeningAt(service: SpawnedProcess): Promise<string> {
  const line = await service.waitForLine("listening on ");
  return line.slice("listening on ".length);
}

for (const { service: serviceRuntime, client: clientRuntime } of pairs) {
  test(`service on ${serviceRuntime} and client on ${clientRuntime} exchange calls`, async () => {
    await using service = start("service", ["--endpoint", anyPort], serviceRuntime);
    const endpoint = await listeningAt(service);
    for (const left of [7, 14]) {
      const { code, output, errors } = await run("client", ["--endpoint", endpoint], clientRuntime);
      assert.deepEqual({ code, errors }, { code: 0, errors: "" }, output);
      assert.match(output, new RegExp(`^took 3 apples, ${left} left$`, "m"));
      assert.match(output, new RegExp(`OUT_OF_STOCK, \\{"left":${left}\\}$`, "m"));
    }
    assert.match(service.outputText, /^take 3 apple, now 14$/m);
  });
}

for (const runtime of allRuntimes) {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    test(`service on ${runtime} closes on ${signal}`, async () => {
      await using service = start("service", ["--endpoint", anyPort], runtime);
      await listeningAt(service);
      // Not by the child's own kill(), after which Deno reports the signal and not the exit code.
      process.kill(service.pid, signal);
      assert.deepEqual(await within(service.exit, 10_000, "the service to end"), { code: 0, signal: null });
      assert.match(service.outputText, /^closing$/m);
    });
  }

  test(`examples on ${runtime} that run until they are interrupted close on Ctrl-C`, async () => {
    const ready = {
      "actors/supervised_pool/server": "renderers serve at ",
      "discovery/shout_service": "shout is ready",
      "streams/chat": "enter with: ",
      "streams/upload": "upload with: ",
    };
    const ends = await Promise.all(
      Object.entries(ready).map(async ([name, line]) => {
        await using child = spawnScript(`examples/${name}.ts`, [], {
          runtime,
          permissions: discoveryPermissions,
        });
        await child.waitForLine(line);
        process.kill(child.pid, "SIGINT");
        const exit = await within(child.exit, 10_000, `${name} to end`);
        return { name, ...exit, errors: child.errorText };
      }),
    );
    assert.deepEqual(ends, Object.keys(ready).map((name) => ({ name, code: 0, signal: null, errors: "" })));
  });

  test(`service on ${runtime} says which port is in use and exits with 1`, async () => {
    await using other = await occupiedPort();
    const { code, errors } = await run("service", ["--endpoint", `tcp://127.0.0.1:${other.port}`], runtime);
    assert.equal(code, 1);
    assert.match(errors, new RegExp(`\\b${other.port}\\b`));
  });

  test(`client on ${runtime} says what is wrong with an endpoint and exits with 1`, async () => {
    const { code, errors } = await run("client", ["--endpoint", "nowhere"], runtime);
    assert.equal(code, 1);
    assert.match(errors, /"nowhere"/);
  });

  test(`ping_pong on ${runtime} prints p50 and p99`, async () => {
    const { code, output, errors } = await run("ping_pong", ["--rounds", "300"], runtime);
    assert.deepEqual({ code, errors }, { code: 0, errors: "" }, output);
    assert.match(
      output,
      new RegExp(`^300 round trips of 64 bytes on .+: p50 ${duration}, p99 ${duration}\n$`),
    );
  });
}

/** The runtimes in turns: what a program makes of its options is the same on both. */
const inTurns = <T>(cases: readonly T[]): [T, RuntimeName][] =>
  cases.map((one, index) => [one, allRuntimes[index % allRuntimes.length]!]);

for (const [bytes, runtime] of inTurns(["0", "1000000"])) {
  test(`ping_pong on ${runtime} takes --bytes ${bytes}`, async () => {
    const { code, output, errors } = await run("ping_pong", ["--rounds", "20", "--bytes", bytes], runtime);
    assert.deepEqual({ code, errors }, { code: 0, errors: "" }, output);
    assert.match(output, new RegExp(`^20 round trips of ${bytes} bytes`));
  });
}

const refused = [["--rounds", "many"], ["--rounds", "0"], ["--bytes", "1.5"], ["--size", "3"]];
for (const [wrong, runtime] of inTurns(refused)) {
  test(`ping_pong on ${runtime} refuses ${wrong.join(" ")} and exits with 1`, async () => {
    const { code, output, errors } = await run("ping_pong", wrong, runtime);
    assert.deepEqual({ code, output }, { code: 1, output: "" });
    assert.match(errors, new RegExp(`${wrong[0]}\\b`));
  });
}

const options = {
  service: ["--endpoint", "--help"],
  client: ["--endpoint", "--help"],
  ping_pong: ["--rounds", "--bytes", "--help"],
};

for (const [[name, names], runtime] of inTurns(Object.entries(options))) {
  test(`${name} on ${runtime} --help names its options`, async () => {
    const { code, output, errors } = await run(name, ["--help"], runtime);
    assert.deepEqual({ code, errors }, { code: 0, errors: "" });
    for (const option of names) assert.ok(output.includes(`  ${option} `), output);
  });
}
