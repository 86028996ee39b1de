/** Has pages drawn: `client.ts ENDPOINT`. */
import process from "node:process";
import { actorRef } from "zeromesh/actors";
import { Messenger, ZeromeshError } from "zeromesh";
import { Renderer } from "./contract.ts";

const [endpoint = ""] = process.argv.slice(2);
await using messenger = await Messenger.create({ listen: false });
const peer = await messenger.connect(endpoint);
const renderers = actorRef(messenger, Renderer, `renderers@${peer}`);

/** Asks again if the worker crashed: the error says so in each case, so no page is lost. */
async function render(page: number): Promise<number> {
  for (let attempt = 1;; attempt++) {
    try {
      await renderers.ask("render", { page, attempt });
      return attempt;
    } catch (error) {
      if (!(error instanceof ZeromeshError) || attempt === 10) throw error;
      if (!["HANDLER_FAILED", "ACTOR_STOPPED"].includes(error.code)) throw error;
      console.log(`page ${page} again: ${error.message}`);
    }
  }
}

let second = 0;
for (let page = 1; page <= 24; page++) {
  if (await render(page) > 1) second++;
}
console.log(`24 pages are drawn, ${second} of them at a later attempt`);
