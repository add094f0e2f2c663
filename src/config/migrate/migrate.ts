/** Rewrites a config of NeMo Evaluator Launcher 0.1 or 0.2, for any executor, into one that runs here unchanged. */
import { readYamlMap } from '../yaml/yaml-reader';
import { parseConfigDocument } from './config-document';
import { keepFormat } from './keep-format';
import { marksIn, withMarks } from './marks';
import type { Mark } from './marks';
import { deploymentOf, executorOf, isWhole, migrateDefaults } from './rules/defaults';
import { migrateDeployment } from './rules/deployment';
import { migrateEvaluation } from './rules/evaluation';
import { migrateExecutor } from './rules/executor';
import { migrateTarget } from './rules/target';
import { migrateTaskNames } from './rules/task-names';
import { giveToServer, migrateVariables } from './rules/variables';
import { Session } from './session';
import type { Change } from './session';
import { verify } from './verify';
import type { VerificationRequest } from './verify';

export interface MigrationRequest extends VerificationRequest {
  /** Whether a file of the user's own exists for `group/choice`. */
  readonly hasOwnConfig: (configPath: string) => boolean;
}

export interface Migration {
  /** The new text; the old one, byte for byte, if nothing had to change. */
  readonly text: string;
  readonly changes: readonly Change[];
  /** What is left to decide; each is a comment in the text, on this line. */
  readonly open: readonly { readonly line: number; readonly message: string }[];
  /** What the file needs that is not in it, and what was left alone. */
  readonly notes: readonly string[];
}

/**
 * Migrates a config. What it can't decide it marks in the text; so is everything that would be refused here for another reason.
 * Migrating the result changes nothing. Throws `ConfigError` if the text is no YAML mapping.
 */
export async function migrateConfig(request: MigrationRequest): Promise<Migration> {
  const { text, file } = request;
  readYamlMap(text, { file });
  const { plain, restore } = withoutPlatformDetails(text);
  const session = rewrite(plain, request);
  const rewritten = session.changes.length === 0 ? plain : keepFormat(plain, session.document.toString());
  const marks: Mark[] = session.questions.map(({ path, message, hint }) => ({
    path,
    text: markText(path, message, hint),
  }));
  const notes = [...session.notes];
  if (isWhole(session.document)) {
    // Marks of an earlier time begin with their path as well.
    const asked = [...session.questions.map(({ path }) => `${path}:`), ...marksIn(plain).map(({ text: mark }) => mark)];
    const isAsked = (path: string): boolean => asked.some((other) => /^[:.]/.test(after(other, path) ?? ''));
    const found = await verify({ ...request, text: rewritten });
    notes.push(...found.notes);
    for (const { path, line, message, hint } of found.problems)
      if (!isAsked(path))
        marks.push({ path, ...(line === undefined ? {} : { line }), text: markText(path, message, hint) });
  } else notes.push('this is not a whole config: only what it says itself could be migrated and nothing was checked');
  const marked = withMarks(rewritten, marks);
  return {
    text: restore(marked),
    changes: session.changes,
    open: marksIn(marked).map(({ line, text: message }) => ({ line, message })),
    notes,
  };
}

function rewrite(text: string, { hasOwnConfig }: MigrationRequest): Session {
  const document = parseConfigDocument(text);
  const session = new Session(document, executorOf(document), deploymentOf(document), hasOwnConfig);
  migrateDefaults(session);
  migrateTarget(session);
  migrateDeployment(session);
  giveToServer(session);
  migrateVariables(session);
  migrateEvaluation(session);
  migrateExecutor(session);
  migrateTaskNames(session);
  session.remove(['hydra'], "Hydra's own settings have no effect: only the config itself is composed");
  session.remove(['user_config_path'], 'the launcher noted here which file it had read');
  return session;
}

/** Returns the rest of a text that begins with `start`. */
const after = (text: string, start: string): string | undefined =>
  start !== '' && text.startsWith(start) ? text.slice(start.length) : undefined;

const markText = (path: string, message: string, hint: string | undefined): string =>
  `${path === '' ? '' : `${path}: `}${message}${hint === undefined ? '' : `; ${hint}`}`;

/** A byte order mark and Windows' line ends stay as they are. */
function withoutPlatformDetails(text: string): { plain: string; restore: (text: string) => string } {
  const mark = text.startsWith('\ufeff') ? '\ufeff' : '';
  const isWindows = text.includes('\r\n');
  const body = text.slice(mark.length);
  return {
    plain: isWindows ? body.replaceAll('\r\n', '\n') : body,
    restore: (result) => mark + (isWindows ? result.replaceAll('\n', '\r\n') : result),
  };
}
