/** JSON as Python writes it, with NaN and infinities. Pure. */

/** Parses JSON in which NaN and infinities may stand for numbers: these become `NaN`, as text. Throws `SyntaxError`. */
export function parsePythonJson(text: string): unknown {
  if (!/\bNaN\b|\bInfinity\b/.test(text)) return JSON.parse(text);
  // Texts are matched first, so that what they contain stays as it is.
  return JSON.parse(
    text.replace(/"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g, (part) => (part.startsWith('"') ? part : '"NaN"')),
  );
}
