import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { productPermissions } from "../support/runtime.ts";
import { type SpawnedProcess, spawnScript } from "../support/spawn.ts";

async function exchange(
  permissions: readonly string[],
  env: Record<string, string> = {},
): Promise<SpawnedProcess> {
  const child = spawnScript("test/deno/exchange_program.ts", [], { runtime: "deno", permissions, env });
  await child.exit;
  return child;
}

Deno.test("the permissions that README names are enough, --allow-net is not among them", async () => {
  await using child = await exchange(productPermissions);
  assertEquals([child.ended, child.errorText], [{ code: 0, signal: null }, ""]);
  assertStringIncludes(child.outputText, "answer 2,4,6");
  assert(!productPermissions.some((permission) => permission.startsWith("--allow-net")));
});

Deno.test("--allow-ffi with --allow-read finds the libzmq of the npm package without a system library", async () => {
  await using child = await exchange(["--allow-ffi", "--allow-read"]);
  assertEquals([child.ended, child.errorText], [{ code: 0, signal: null }, ""]);
});

Deno.test("--allow-ffi alone works with the system's libzmq, else it says what was not looked at", async () => {
  await using child = await exchange(["--allow-ffi"]);
  if (child.ended?.code === 0) {
    assertStringIncludes(child.outputText, "libzmq is system");
    assertStringIncludes(child.outputText, "answer 2,4,6");
  } else {
    assertStringIncludes(child.errorText, "not looked at: that needs --allow-read");
  }
});

Deno.test("ZEROMESH_LIBZMQ counts only with --allow-env", async () => {
  const env = { ZEROMESH_LIBZMQ: "/no/libzmq/here.so" };
  await using read = await exchange(productPermissions, env);
  assertEquals(read.ended?.code, 1);
  assertStringIncludes(read.errorText, "/no/libzmq/here.so");
  await using unread = await exchange(["--allow-ffi", "--allow-read"], env);
  assertEquals(unread.ended?.code, 0);
});

Deno.test("without --allow-ffi the error names the permission, and nothing hangs", async () => {
  await using child = await exchange([]);
  assertEquals(child.ended?.code, 1);
  assertStringIncludes(
    child.errorText,
    "has no permission to call foreign functions; run it with --allow-ffi",
  );
});
