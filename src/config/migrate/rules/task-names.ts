/** Names of tasks: the harness is added where several have the task, and names of version 0.1 become today's. */
import { describeTask } from '../../catalogue/catalogue';
import type { CatalogueTask } from '../../catalogue/catalogue';
import { currentName, wholeName } from '../../catalogue/former-names';
import { readExistingUrl } from '../../plan/existing-url';
import type { Session } from '../session';

export function migrateTaskNames(session: Session): void {
  const { document } = session;
  for (let index = 0; index < document.length(['evaluation', 'tasks']); index++) {
    const base = ['evaluation', 'tasks', index];
    const path = [...base, 'name'];
    const name = document.text(path);
    if (name === undefined || document.text([...base, 'container']) !== undefined) continue;
    const kind = document.text([...base, 'endpoint_type']) ?? kindOfUrl(session, index);
    const found = currentName(name, kind);
    if (found === undefined) continue;
    document.setText(path, found.name);
    session.changed(path, `${found.name} (was ${name})`, found.reason);
  }
}

/** Returns the kind of requests that the URL takes: the task's own URL wins. */
function kindOfUrl({ document, deployment }: Session, index: number): string | undefined {
  if (deployment !== 'none') return undefined;
  const inner = ['nemo_evaluator_config', 'target', 'api_endpoint', 'url'];
  const text =
    document.text(['evaluation', 'tasks', index, ...inner]) ??
    document.text(['evaluation', ...inner]) ??
    document.text(['target', 'api_endpoint', 'url']);
  if (text === undefined) return undefined;
  const url = readExistingUrl(text);
  return url.kind === 'full' ? url.takes : undefined;
}

/** Returns the name that a task of this name has today; `undefined` if it is the same, or not certain. Pure. */
export const taskNameToday = (name: string, kind: string | undefined): string | undefined =>
  currentName(name, kind)?.name;

/** Returns the tasks that a name may mean, matching case. Pure. */
export const tasksNamed = (name: string): readonly CatalogueTask[] =>
  describeTask(name).filter((task) => task.name === name || wholeName(task) === name);
