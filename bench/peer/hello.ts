/** An empty program: the start of the runtime without the library. */
import { say } from "./protocol.ts";

say({ type: "first" });
