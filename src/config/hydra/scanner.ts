/** Reads text with sticky patterns. Base of the parsers of overrides and interpolations. */
export class Scanner {
  protected at = 0;

  constructor(protected readonly text: string) {}

  /** Consumes and returns what the pattern matches here; empty if it does not match. The pattern needs the flag `y`. */
  protected match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? '';
    this.at += found.length;
    return found;
  }

  /** Whether the pattern matches here. */
  protected peek(pattern: RegExp): boolean {
    pattern.lastIndex = this.at;
    return pattern.test(this.text);
  }
}
