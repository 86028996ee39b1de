/**
 * A leader of `cohort_*_test.ts` in a process of its own: `cohort_leader.ts OPTIONS [ENDPOINT]`, the cohort's options as
 * JSON. It says where it listens and, one line each, what becomes of the cohort.
 */
import process from "node:process";
import { type CohortOptions, type CohortStatus, LeaderWorkerCohort } from "../../../src/cohort/mod.ts";
import { Messenger } from "../../../src/mod.ts";

const [options = "{}", endpoint] = process.argv.slice(2);
const messenger = await Messenger.create({ endpoint });
const cohort = LeaderWorkerCohort.create(messenger, JSON.parse(options) as CohortOptions);
console.log(`listening ${messenger.endpoint}`);
for await (const status of cohort.status()) console.log((status as CohortStatus).type);
await messenger.close();
process.exit(0);
