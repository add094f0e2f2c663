/** Joins the first `most` texts, and says how many more there are: `a, b and 3 more`. Pure. */
export function firstOf(texts: readonly string[], most: number, separator = ', '): string {
  const shown = texts.slice(0, most).join(separator);
  return texts.length > most ? `${shown} and ${texts.length - most} more` : shown;
}
