/** Nothing but the runtime: what is left of a start when the library is taken away. */
import { say } from "./protocol.ts";

say({ type: "first" });
