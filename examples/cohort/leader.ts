/** Leads a cohort of workers through a parallel map. A worker may die on the way: its part is done again. */
import process from "node:process";
import { parseArgs } from "node:util";
import { Messenger, ZeromeshError } from "zeromesh";
import { LeaderWorkerCohort } from "zeromesh/cohort";
import { countPrimes } from "./contract.ts";

const help = `Counts primes with the help of workers: start as many of worker.ts as --workers says.

  --endpoint ENDPOINT   where to listen (tcp://127.0.0.1:0)
  --workers N           how many workers it waits for (3)
  --below N             counts the primes below this (5000000)
  --parts N             into how many parts the work is cut (120)
  --help                this text`;

interface Plan {
  readonly workers: number;
  readonly below: number;
  readonly parts: number;
}

async function lead(endpoint: string, plan: Plan): Promise<void> {
  await using messenger = await Messenger.create({ endpoint });
  await using cohort = LeaderWorkerCohort.create(messenger, {
    size: plan.workers,
    heartbeatMs: 250,
    lostAfterMs: 1_000,
    // Who freezes has this long to go on, or to be replaced.
    failurePolicy: { replaceWithinMs: 60_000 },
  });
  void report(cohort);
  console.log(`listening on ${messenger.endpoint}`);
  console.log(`${await count(cohort, plan)} primes below ${plan.below}`);
}

async function count(cohort: LeaderWorkerCohort, { workers, below, parts }: Plan): Promise<number> {
  const at = (part: number): number => Math.floor(part * below / parts);
  let todo = Array.from({ length: parts }, (_, part) => ({ from: at(part), end: at(part + 1) }));
  let primes = 0;
  while (todo.length > 0) {
    await cohort.whenComplete({ timeoutMs: 60_000 });
    const round = todo.slice(0, workers);
    const ranks = [0, round.length] as const;
    const results = await cohort.parMap(countPrimes, ({ rank }) => round[rank!]!, {
      ranks,
      timeoutMs: 10_000,
    });
    todo = todo.slice(round.length);
    for (const outcome of results) {
      if (outcome.ok) primes += outcome.value;
      else {
        const { worker: { instanceId, rank }, error } = outcome;
        console.log(`rank ${rank} failed: ${error.message}`);
        todo.push(round[rank!]!);
        // Nobody has to wait until the heartbeats miss it: the next one who joins gets its rank.
        if (error instanceof ZeromeshError && error.code === "PEER_DISCONNECTED") {
          cohort.removeWorker(instanceId);
        }
      }
    }
    console.log(`${parts - todo.length} of ${parts} parts are done`);
  }
  return primes;
}

async function report(cohort: LeaderWorkerCohort): Promise<void> {
  for await (const status of cohort.status()) {
    if ("worker" in status) console.log(`rank ${status.worker.rank} ${status.type}`);
  }
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 1) return number;
  throw new RangeError(`--${name} is a whole number from 1 on, not ${JSON.stringify(text)}`);
}

try {
  const { values } = parseArgs({
    options: {
      endpoint: { type: "string", default: "tcp://127.0.0.1:0" },
      workers: { type: "string", default: "3" },
      below: { type: "string", default: "5000000" },
      parts: { type: "string", default: "120" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) console.log(help);
  else {
    await lead(values.endpoint, {
      workers: wholeNumber("workers", values.workers),
      below: wholeNumber("below", values.below),
      parts: wholeNumber("parts", values.parts),
    });
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
