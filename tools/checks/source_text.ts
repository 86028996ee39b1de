/**
 * TypeScript source with comments, or also the contents of strings, replaced by spaces, so that words in comments
 * violate no rule. Lines and columns stay.
 */

/** The source with spaces for comments. */
export function withoutComments(text: string): string {
  return blank(text, (kind) => kind === "comment");
}

/** The source with spaces for comments and for the contents of strings, templates and regular expressions. */
export function codeOnly(text: string): string {
  return blank(text, () => true);
}

type Kind = "comment" | "string";

function blank(text: string, isBlank: (kind: Kind) => boolean): string {
  let out = "";
  let at = 0;
  for (const piece of pieces(text)) {
    out += text.slice(at, piece.start);
    const inside = text.slice(piece.start, piece.end);
    out += isBlank(piece.kind) ? inside.replaceAll(/[^\n]/g, " ") : inside;
    at = piece.end;
  }
  return out + text.slice(at);
}

interface Piece {
  readonly kind: Kind;
  readonly start: number;
  readonly end: number;
}

/** Comments and the contents of literals, in order. */
function* pieces(text: string): Generator<Piece> {
  /** For each enclosing template: the open braces of its current `${}`. */
  const templates: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const two = text.slice(i, i + 2);
    const char = text[i] ?? "";
    if (two === "//" || two === "/*") {
      const close = two === "//" ? text.indexOf("\n", i) : text.indexOf("*/", i + 2) + 2;
      const end = close < i + 2 ? text.length : close;
      yield { kind: "comment", start: i, end };
      i = end - 1;
    } else if (char === '"' || char === "'") {
      const end = endOfString(text, i + 1, char);
      yield { kind: "string", start: i + 1, end };
      i = end;
    } else if (char === "`" || (char === "}" && templates.at(-1) === 0)) {
      if (char === "}") templates.pop();
      const end = endOfTemplatePart(text, i + 1);
      yield { kind: "string", start: i + 1, end };
      if (text[end] === "$") {
        templates.push(0);
        i = end + 1;
      } else {
        i = end;
      }
    } else if (char === "/" && startsRegularExpression(text, i)) {
      const end = endOfRegularExpression(text, i + 1);
      yield { kind: "string", start: i + 1, end };
      i = end;
    } else if (templates.length > 0 && (char === "{" || char === "}")) {
      templates.push((templates.pop() ?? 0) + (char === "{" ? 1 : -1));
    }
  }
}

function endOfString(text: string, from: number, quote: string): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === quote || text[i] === "\n") return i;
  }
  return text.length;
}

/** The end of a template, or the start of its next `${`. */
function endOfTemplatePart(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "`" || text.startsWith("${", i)) return i;
  }
  return text.length;
}

/** Whether a slash begins a regular expression, which it does where a value is expected. */
function startsRegularExpression(text: string, at: number): boolean {
  const before = text.slice(Math.max(0, at - 40), at).trimEnd();
  return before === "" || /[(,=:[!&|?{};+\-*%<>~^]$/.test(before) ||
    /\b(?:return|typeof|case|in|of)$/.test(before);
}

function endOfRegularExpression(text: string, from: number): number {
  let inClass = false;
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (char === "\\") i++;
    else if (char === "[") inClass = true;
    else if (char === "]") inClass = false;
    else if ((char === "/" && !inClass) || char === "\n") return i;
  }
  return text.length;
}
