/** Watches of services, followed in the background. */
import assert from "node:assert/strict";
import type { InstanceId } from "../../src/core/mod.ts";
import type { ServiceEvent } from "../../src/discovery/mod.ts";

/** The state that the events of a watch describe. */
export interface Folded {
  /** The instances that offer the service, as far as the watch has told. */
  readonly seen: Set<InstanceId>;
  /** The events that broke a rule of watches. */
  readonly broken: string[];
  /** The last events, with how many milliseconds after the beginning each came. */
  readonly events: string[];
  /** The number of `initial` events. */
  initials: number;
}

/** The events of a watch, for the messages of tests. */
export function story({ seen, broken, events }: Folded): string {
  return `${events.join(", ")}; folded to [${[...seen].join()}]; broken: [${broken.join()}]`;
}

/** Shows that a watch has begun once and told nothing twice. */
export function assertWhole(folded: Folded): void {
  assert.deepEqual(folded.broken, [], story(folded));
  assert.equal(folded.initials, 1, story(folded));
}

/** Folds a watch in the background. */
export function fold(watch: AsyncIterable<ServiceEvent>): Folded {
  const folded: Folded = { seen: new Set(), broken: [], events: [], initials: 0 };
  const begun = performance.now();
  void (async () => {
    for await (const event of watch) {
      const about = event.type === "initial" ? `[${event.instances.join()}]` : event.instance;
      folded.events.push(`${Math.round(performance.now() - begun)} ms: ${event.type} ${about}`);
      if (folded.events.length > 50) folded.events.shift();
      if (event.type === "initial") {
        folded.initials++;
        for (const id of event.instances) folded.seen.add(id);
      } else if (event.type === "added") {
        if (folded.seen.has(event.instance)) folded.broken.push(`${event.instance} was added twice`);
        folded.seen.add(event.instance);
      } else if (!folded.seen.delete(event.instance)) folded.broken.push(`${event.instance} was not there`);
    }
  })();
  return folded;
}
