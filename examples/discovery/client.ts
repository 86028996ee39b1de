import { Messenger, service } from "zeromesh";
import { count, shout } from "./contracts.ts";
import { discovery } from "./where.ts";

await using messenger = await Messenger.create({ discovery: discovery(), listen: false });
const services = messenger.client({ shout }, { to: service("shout") });
console.log(await services.shout("hello"));
console.log(await messenger.typedUnary(count, { to: service("count"), payload: "hello" }));
