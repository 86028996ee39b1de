import { dirname } from "node:path";
import { withDefaults } from "../../core/mod.ts";
import { readModuleFiles } from "./module_files.ts";
import { type ModuleLimits, moduleLimitTable } from "./module_limits.ts";

/**
 * The folders of a module and of the local files that it reaches by relative imports, its own first.
 *
 * If a file is missing or cannot be read, the folder where it should be is the last one: a save there may change that.
 *
 * @param path Absolute path of the module.
 */
export async function moduleFolders(path: string): Promise<string[]> {
  const folders = new Set([dirname(path)]);
  try {
    await readModuleFiles(
      path,
      withDefaults<ModuleLimits, typeof moduleLimitTable>({}, moduleLimitTable),
      folders,
    );
  } catch {
    // Whoever loads the module is told what is wrong.
  }
  return [...folders];
}
