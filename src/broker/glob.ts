const isSeparator = (letter: string | undefined): boolean => letter === "/" || letter === ".";

/**
 * Whether a channel's name fits a glob: `?` stands for one character of a part, `*` for the rest of a part or some of it, and
 * `**` for anything, separators included. It takes at most as many steps as the lengths multiplied, whatever the glob.
 */
export function matchesGlob(glob: string, name: string): boolean {
  let at = 0;
  let of = 0;
  // Where the last `*` and the last `**` are tried again, with one more character.
  let part = { at: 0, of: -1 };
  let all = { at: 0, of: -1 };
  for (;;) {
    const letter = glob[of];
    if (letter === "*" && glob[of + 1] === "*") {
      of += 2;
      all = { at, of };
      part = { at: 0, of: -1 };
      continue;
    }
    if (letter === "*") {
      of++;
      part = { at, of };
      continue;
    }
    if (at === name.length && letter === undefined) return true;
    const here = name[at];
    if (here !== undefined && (letter === here || (letter === "?" && !isSeparator(here)))) {
      at++;
      of++;
      continue;
    }
    if (part.of >= 0 && part.at < name.length && !isSeparator(name[part.at])) {
      at = ++part.at;
      of = part.of;
    } else if (all.of >= 0 && all.at < name.length) {
      at = ++all.at;
      of = all.of;
      part = { at: 0, of: -1 };
    } else return false;
  }
}

/** The beginning of all names that fit a glob. */
export function globPrefix(glob: string): string {
  const end = glob.search(/[*?]/);
  return end < 0 ? glob : glob.slice(0, end);
}
