/** Walks a text by sticky patterns: what the grammars of overrides and interpolations have in common. */
export class Scanner {
  protected at = 0;

  constructor(protected readonly text: string) {}

  /** Takes what the pattern matches here; empty when nothing does. The pattern needs the flag `y`. */
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
