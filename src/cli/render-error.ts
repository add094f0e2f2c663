import type { ConfigProblem } from '../config/yaml/problems';
import type { Style } from './render/style';
import { harmlessText } from '../support/terminal-text';
import { renderProblem } from '../config/yaml/problems';

/** Formats an error for people, without a stack trace. Pure. */
export function errorText(error: unknown, style: Style): string {
  const problems = problemsOf(error);
  if (problems !== undefined) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
    return [style.bad(`The configuration has ${count}; nothing was created.`), ...problems.map(renderProblem)].join(
      '\n',
    );
  }
  if (error instanceof Error && error.name === 'Interrupted') return error.message;
  return `${style.bad('error:')} ${harmlessText(messageOf(error))}`;
}

/** Returns what `--json` prints instead of the answer. */
export function errorDocument(error: unknown): object {
  const type = error instanceof Error ? error.name : 'Error';
  const problems = problemsOf(error);
  return { error: { type, message: messageOf(error), ...(problems ? { problems } : {}) } };
}

function problemsOf(error: unknown): readonly ConfigProblem[] | undefined {
  if (!(error instanceof Error) || error.name !== 'ConfigError' || !('problems' in error)) return undefined;
  return error.problems as readonly ConfigProblem[];
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'an answer took too long';
  return error.message === '' ? error.name : error.message;
}
