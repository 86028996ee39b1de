/** The used parts of the runtimes' globals. */
interface Globals {
  readonly Bun?: { readonly main: string };
  readonly Deno?: { readonly build: { readonly standalone?: boolean } };
}

/** Whether this program was compiled into one file (`bun build --compile`, `deno compile`). */
export function runsFromBinary(): boolean {
  const { Bun: bun, Deno: deno } = globalThis as Globals;
  // The folder of the files inside such a program, on Windows with a drive in front.
  return bun === undefined
    ? deno?.build.standalone === true
    : /^(?:\/\$bunfs\/|B:[\\/]~BUN[\\/])/.test(bun.main);
}
