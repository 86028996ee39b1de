/**
 * An actor without a contract: it gives back what it gets. The command line alone runs it and talks with it:
 * "zeromesh actors run echo.ts", then "zeromesh actors ask echo say hello --connect ENDPOINT".
 */
import { actor } from "zeromesh/actors";

export default actor({
  init: () => ({ echoed: 0 }),
  tell: { say: (ctx) => void ctx.state.echoed++ },
  ask: {
    say: (ctx, bytes) => {
      ctx.state.echoed++;
      return bytes;
    },
  },
  channel: {
    talk: {
      open: (_ctx, channel) => void channel.accept(),
      message: (ctx, channel, bytes) => {
        ctx.state.echoed++;
        return channel.send(bytes);
      },
    },
  },
});
