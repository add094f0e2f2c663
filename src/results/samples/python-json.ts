/**
 * Parses JSON as Python writes it: NaN and infinities, which JSON has no words for, become `null`. Throws `SyntaxError`. Pure.
 */
export function parsePythonJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const standard = text.replace(textOrName, (found) => (found.startsWith('"') ? found : 'null'));
    if (standard === text) throw error;
    return JSON.parse(standard) as unknown;
  }
}

const textOrName = /"(?:[^"\\]|\\.)*"|NaN|-?Infinity/g;
