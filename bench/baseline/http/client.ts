/** Plain HTTP on Bun: each call is a `fetch` with a body. */
import { runClient } from "../../peer/measure.ts";

const patienceMs = 5_000;

await runClient(async (args) => {
  const url = args.text("endpoints");
  const call = async (payload: Uint8Array): Promise<ArrayBuffer> => {
    const response = await fetch(url, { method: "POST", body: payload as BodyInit });
    return await response.arrayBuffer();
  };
  // The server reports that it is ready before it listens.
  for (const start = performance.now();;) {
    try {
      await call(new Uint8Array(1));
      break;
    } catch (error) {
      if (performance.now() - start > patienceMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return { call, sizeOf: (answer: ArrayBuffer) => answer.byteLength, close: () => Promise.resolve() };
});
