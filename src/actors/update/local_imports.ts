/** A relative import of a file. */
export interface LocalImport {
  /** The specifier as a path: it begins with `./` or `../`, and has neither query nor fragment. */
  readonly path: string;
  /** Whether the program can do without the file: it is imported for types, or maybe never. */
  readonly optional: boolean;
  /** Whether the program runs without ever loading the file. */
  readonly typeOnly: boolean;
}

const scripts = /\.(?:[cm]?[jt]s|[jt]sx)$/;

/** Whether a file may have imports of its own. */
export function isScript(path: string): boolean {
  return scripts.test(path);
}

/**
 * The relative imports of a JavaScript or TypeScript file: `import`, `export … from`, and `import()` of a literal.
 *
 * @throws {Error} If the text cannot be read as a module.
 */
export async function localImports(text: string): Promise<LocalImport[]> {
  // Loaded at the first update only.
  const { init, parse } = await import("es-module-lexer");
  await init();
  const found: LocalImport[] = [];
  for (const one of withReason(() => parse(text))[0]) {
    if (one.type === "import-meta" || !/^\.\.?\//.test(one.specifier ?? "")) continue;
    if (one.type === "dynamic" && one.glob) continue;
    const typeOnly = one.type === "dynamic" ? one.probablyTypeOnly : one.typeOnly;
    const path = one.specifier!.replace(/[?#].*$/s, "");
    found.push({ path, optional: typeOnly || one.type === "dynamic", typeOnly });
  }
  return found;
}

/** The lexer has no position for a bracket that is still open at the end, and would name the first line instead. */
function withReason<T>(parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if ((cause as { idx?: number }).idx !== 0) throw cause;
    throw new Error("its brackets do not match", { cause });
  }
}
