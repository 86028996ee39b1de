/** The context of `zeromesh/zmq` that all threads of a process share. */
import assert from "node:assert/strict";
import process from "node:process";
import { openBackend } from "zeromesh/ffi";
import { test } from "../support/testing.ts";

// Elsewhere each copy has a context of its own.
const skip = process.platform === "linux" ? false : "the context is shared on Linux only";

test(
  "the shared context goes on while another copy of the module on the thread uses it",
  { skip },
  async () => {
    const one = await openBackend();
    const other = await openBackend({ library: one.library.path });
    assert.notEqual(other, one);
    one.sharedContext();
    const context = other.sharedContext();
    assert.equal(one.leaveSharedContext(), false);
    // Other tests of this process may use it too.
    if (other.leaveSharedContext()) assert.equal(await other.contextTerm(context), 0);
  },
);
