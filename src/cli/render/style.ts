import pc from 'picocolors';

/** Colours by meaning. */
export interface Style {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly strong: (text: string) => string;
}

const same = (text: string): string => text;

export const plainStyle: Style = { good: same, bad: same, warn: same, dim: same, strong: same };

/** Returns colours for a terminal, unless `NO_COLOR` is set and not empty, or `TERM` is dumb. */
export function terminalStyle(isTerminal: boolean, env: Readonly<Record<string, string | undefined>>): Style {
  if (!isTerminal || env['NO_COLOR'] || env['TERM'] === 'dumb') return plainStyle;
  const colors = pc.createColors(true);
  return { good: colors.green, bad: colors.red, warn: colors.yellow, dim: colors.dim, strong: colors.bold };
}
