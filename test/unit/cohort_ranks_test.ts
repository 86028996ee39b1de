/** Tests of ranks and members without a network. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Members } from "../../src/cohort/members.ts";
import { type CohortOptions, resolveCohortOptions } from "../../src/cohort/options.ts";
import { type InstanceId, instanceId, type ZeromeshError } from "../../src/core/mod.ts";

function id(number: number): InstanceId {
  return instanceId(`00000000-0000-4000-8000-${String(number).padStart(12, "0")}`);
}

function members(options: CohortOptions): Members {
  return new Members(resolveCohortOptions(options));
}

/** Has workers 0, 1, 2 … join, each with a rank or without. Gives each one's rank or why it was refused. */
function join(cohort: Members, claims: readonly (number | null)[], from = 0): (number | null | string)[] {
  return claims.map((claimed, i) => {
    try {
      return cohort.join(id(from + i), claimed, 0).member.rank;
    } catch (error) {
      return (error as ZeromeshError).code;
    }
  });
}

const cases: [
  what: string,
  claims: (number | null)[],
  got: (number | null | string)[],
  missing: number[],
  complete: boolean,
][] = [
  ["contiguous ranks", [0, 1, 2], [0, 1, 2], [], true],
  ["no ranks", [null, null, null], [null, null, null], [], true],
  ["no middle rank", [0, 2], [0, 2], [1], false],
  ["no first rank", [1, 2], [1, 2], [0], false],
  ["one rank twice", [0, 1, 1], [0, 1, "RANK_TAKEN"], [2], false],
  ["a rank that is too large", [0, 1, 3], [0, 1, "RANK_INVALID"], [2], false],
  ["a first rank that is too large", [3], ["RANK_INVALID"], [], false],
  ["a rank after one without", [null, 1], [null, "RANK_UNEXPECTED"], [], false],
  ["none after one with a rank", [0, null], [0, "RANK_REQUIRED"], [1, 2], false],
];
for (const [what, claims, got, missing, complete] of cases) {
  test(`ranks in a cohort of 3 where the first worker decides: ${what}`, () => {
    const cohort = members({ size: 3, ranks: "first" });
    assert.deepEqual(join(cohort, claims), got);
    assert.deepEqual(cohort.missingRanks(), missing);
    assert.equal(cohort.complete, complete);
    assert.equal(cohort.count, got.filter((rank) => typeof rank !== "string").length);
  });
}

test("missing ranks are named, and workers are in the order of their ranks however they join", () => {
  const cohort = members({ size: 5, ranks: "claimed" });
  join(cohort, [4, 0, 2]);
  assert.deepEqual(cohort.missingRanks(), [1, 3]);
  assert.deepEqual(cohort.ordered().map(({ rank, position }) => [rank, position]), [[0, 1], [2, 2], [4, 0]]);
});

test("a refused first worker decides nothing, and when the last one has left the next one is the first again", () => {
  for (const size of [1, 2]) {
    const cohort = members({ size, ranks: "first" });
    assert.deepEqual(join(cohort, [size, null]), ["RANK_INVALID", null]);
    cohort.remove(cohort.get(id(1))!);
    assert.deepEqual(join(cohort, [0]), [0]);
    cohort.remove(cohort.get(id(0))!);
    assert.deepEqual(join(cohort, [null]), [null]);
  }
});

test("a rank is free again when its worker has gone", () => {
  const cohort = members({ size: 2, ranks: "claimed" });
  join(cohort, [0, 1]);
  cohort.remove(cohort.get(id(0))!);
  assert.deepEqual(join(cohort, [0], 7), [0]);
  cohort.remove(cohort.get(id(7))!);
  assert.deepEqual(join(cohort, [0]), [0]);
  assert.equal(cohort.complete, true);
});

test("full is not complete: a lost worker's place goes to a worker with its rank, and not without one", () => {
  const cohort = members({ size: 2, ranks: "claimed" });
  join(cohort, [0, 1]);
  cohort.get(id(1))!.state = "lost";
  assert.equal(cohort.count, 2);
  assert.equal(cohort.complete, false);
  assert.deepEqual(join(cohort, [null, 0], 5), ["RANK_REQUIRED", "COHORT_FULL"]);
  const { member, how, predecessor } = cohort.join(id(8), 1, 0);
  assert.deepEqual([member.rank, member.position, how, predecessor?.instanceId], [1, 1, "replaced", id(1)]);
  assert.equal(cohort.complete, true);
  assert.equal(cohort.get(id(1)), undefined);
});
