import { z } from "zod";
import { checkArgument, errorText, systemContract, type UnaryContract } from "../../core/mod.ts";
import { streamHandle } from "../../streams/mod.ts";
import { actorNameOption } from "../options/spawn_options.ts";
import { parseAddress } from "../references/address.ts";
import type { CommandName } from "./command_types.ts";

/** A text that a function reads, which throws if it cannot. */
const readBy = (read: (text: string) => unknown) =>
  z.string().superRefine((text, context) => {
    try {
      read(text);
    } catch (error) {
      context.addIssue({ code: "custom", message: errorText(error) });
    }
  });

// Values of users travel as JSON; the bytes of actors without a contract as base64.
const value = z.unknown().optional();
// Without an @ it is an id or a name, and one that cannot be a name is not found.
const target = readBy((text) => text.includes("@") ? parseAddress(text) : text);
const actorName = readBy((text) => checkArgument("name", text, actorNameOption, "Cannot name an actor"));
const named = z.object({ target });
const done = z.object({ done: z.literal(true) });
const milliseconds = z.number().min(0).optional();
const end = z.object({ reason: z.string(), error: z.string().optional(), result: value });

const status = z.object({
  id: z.string(),
  name: z.string().nullable(),
  address: z.string(),
  contract: z.string(),
  version: z.number(),
  phase: z.string(),
  queued: z.number(),
  waiting: z.number(),
  busy: z.boolean(),
  deferred: z.number(),
  handled: z.number(),
  failed: z.number(),
  failure: z.string().nullable(),
  restarts: z.number(),
  parent: z.string().nullable(),
  pool: z.object({ size: z.number(), members: z.number(), replaced: z.number() }).nullable(),
});

const channelStatus = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(["opener", "target"]),
  other: z.string(),
  state: z.enum(["opening", "open", "closing"]),
  sent: z.number(),
  received: z.number(),
  queued: z.number(),
  waiting: z.number(),
});

const tree: z.ZodType = z.lazy(() => status.extend({ children: z.array(tree) }));

const message = z.object({ target, name: z.string(), input: value, bytes: z.base64().optional() });
const policy = z.enum(["drop", "block"]);
const subscription = z.object({
  /** The handle of the anchor that gets the events. */
  handle: readBy(streamHandle),
  policy: policy.optional(),
  maxBuffered: z.int().min(1).max(65_536).optional(),
});
const update = z.object({
  target,
  /** A name of the catalogue, or a path where the server allows paths. */
  to: z.string(),
  timeoutMs: milliseconds,
  migrateTimeoutMs: milliseconds,
  probation: z.object({ failures: z.int().min(1).optional(), withinMs: milliseconds }).optional(),
  canary: z.int().min(1).max(65_536).optional(),
});
const updated = z.object({ fromVersion: z.number(), toVersion: z.number() });
const schema = z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional();

/**
 * The version of what management clients and servers say to each other. A client names it in each command, and a server
 * of another one refuses the command, whatever else is in it.
 */
export const managementVersion = 1;

function command(name: string, { input, output }: { input: z.ZodObject; output: z.ZodType }): UnaryContract {
  return systemContract(`_actors.${name}`, {
    input: input.extend({ protocol: z.number().optional() }),
    output,
  });
}

/** The commands of a management server: one contract each, with one answer or one error. */
export const managementCommands: Readonly<Record<CommandName, UnaryContract>> = {
  /** All actors. */
  list: command("list", { input: z.object({}), output: z.object({ actors: z.array(status) }) }),
  /** One actor. */
  status: command("status", { input: named, output: status }),
  /** All actors below those that started them. */
  tree: command("tree", { input: z.object({}), output: z.object({ actors: z.array(tree) }) }),
  /** The counters of the system, or those of one actor. */
  metrics: command("metrics", {
    input: z.object({ target: target.optional() }),
    output: z.object({ metrics: z.record(z.string(), z.unknown()) }),
  }),
  /** An actor's contract with its JSON Schemas, its version and the module that it came from. */
  describe: command("describe", {
    input: named,
    output: z.object({
      address: z.string(),
      contract: z.string(),
      encoding: z.enum(["json", "msgpack"]),
      /** Whether it has no contract, so that its messages are bytes by whatever name. */
      bytes: z.boolean(),
      version: z.number(),
      source: z.string().nullable(),
      tell: z.record(z.string(), schema),
      ask: z.record(z.string(), z.object({ input: schema, output: schema })),
      channel: z.record(z.string(), z.object({ fromOpener: schema, toOpener: schema })),
    }),
  }),
  /** An actor's state. */
  state: command("state", { input: named, output: z.object({ state: value }) }),
  /** An actor's channels, open ones and those that wait for `accept`. */
  channels: command("channels", {
    input: named,
    output: z.object({ channels: z.array(channelStatus) }),
  }),
  /** An open channel of the client that asks, by its id. */
  channel: command("channel", { input: z.object({ channel: z.string() }), output: channelStatus }),
  /** Starts an actor of the catalogue. */
  start: command("start", {
    input: z.object({
      /** A name of the catalogue, or a path where the server allows paths. */
      definition: z.string(),
      name: actorName.optional(),
      args: value,
      replace: z.boolean().optional(),
      /** The actor whose child it is: it ends with that, which is told of its end. */
      parent: target.optional(),
      /** Gets its events, the first one included. */
      subscribe: subscription.optional(),
    }),
    output: z.object({ id: z.string(), address: z.string() }),
  }),
  /** Ends an actor in order. */
  stop: command("stop", {
    input: z.object({ target, timeoutMs: milliseconds }),
    output: z.object({ end }),
  }),
  /** Ends an actor at once. */
  terminate: command("terminate", { input: named, output: done }),
  /** Gives an actor a new state by `init`. */
  restart: command("restart", { input: named, output: done }),
  /** Makes an actor handle no messages. */
  pause: command("pause", { input: named, output: done }),
  /** Lets a paused actor go on. */
  resume: command("resume", { input: named, output: done }),
  /** Sends a message without an answer. */
  tell: command("tell", { input: message, output: done }),
  /** Sends a message and gives its answer. */
  ask: command("ask", {
    input: message.extend({ timeoutMs: milliseconds }),
    output: z.object({ output: value, bytes: z.base64().optional() }),
  }),
  /** Updates an actor in place. */
  update: command("update", { input: update, output: updated }),
  /** Undoes an actor's last update. */
  rollback: command("rollback", {
    input: named,
    output: updated.extend({ state: z.enum(["migrateBack", "saved"]) }),
  }),
  /** Sends events to an anchor: of one actor until its end, or of all. */
  events: command("events", {
    input: subscription.extend({ target: target.optional() }),
    output: done,
  }),
};

/** What may be done without being an administrator. */
export const openCommands: ReadonlySet<CommandName> = new Set<CommandName>(["list", "status"]);
