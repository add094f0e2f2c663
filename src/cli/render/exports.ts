import type { RunDescription } from '../../client';
import { harmlessLine } from '../../support/terminal-text';

/** Returns a line per export of a run; `program`: how the user calls evalsaga. Pure. */
export function exportLines({ invocation, exports = [] }: RunDescription['snapshot'], program = 'evalsaga'): string[] {
  return exports.map(({ to, outcome, tasks, where, message }) => {
    const said = message === null ? '' : `: ${harmlessLine(message)}`;
    switch (outcome) {
      case 'running':
        return `export to ${to}: under way`;
      case 'exported':
        return `exported to ${to} (${tasks} ${tasks === 1 ? 'task' : 'tasks'})${where === null ? '' : `: ${harmlessLine(where)}`}${said}`;
      case 'failed':
        return `export to ${to} failed${said}; to try again: ${program} export ${invocation} --to ${to}`;
      case 'skipped':
        return `not exported to ${to}${said}`;
    }
  });
}
