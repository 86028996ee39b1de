import { expect, test } from "bun:test";
import { EndOf } from "../../src/core/mod.ts";

test("closed tells the reason after a good end, the error after another one, and never rejects", async () => {
  const good = new EndOf();
  await good.follow(Promise.resolve(7), () => "done");
  expect(await good.closed).toBe("done");
  const plain = new EndOf();
  await plain.follow(Promise.resolve());
  expect(await plain.closed).toBe("closed");
  const failure = new Error("the socket is stuck");
  const bad = new EndOf();
  await expect(bad.follow(Promise.reject(failure))).rejects.toBe(failure);
  expect(await bad.closed).toBe(failure);
  const odd = new EndOf();
  await odd.follow(Promise.reject("text")).catch(() => {});
  expect(String(await odd.closed)).toBe("Error: text");
});

test("only the first end counts", async () => {
  const end = new EndOf();
  end.tell("left");
  end.tell(new Error("later"));
  expect(await end.closed).toBe("left");
});
