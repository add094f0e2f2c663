/** The `defaults` list: the executor is Lepton, and both groups are chosen. */
import { isScalarNode, newList, newMap, newScalar } from '../yaml-nodes';
import type { ConfigDocument } from '../config-document';
import type { DocumentPath } from '../yaml-nodes';
import type { Executor, Session } from '../session';

/** An entry `- group: choice` of the list. */
interface GroupEntry {
  readonly index: number;
  /** As written, with `override` and a package if there are any. */
  readonly key: string;
  readonly group: string;
  readonly choice: string | undefined;
}

const executors: readonly Executor[] = ['local', 'slurm', 'lepton'];

export function groupEntries(document: ConfigDocument): GroupEntry[] {
  return Array.from({ length: document.length(['defaults']) }, (_item, index): GroupEntry[] => {
    const [key, more] = document.keys(['defaults', index]);
    if (key === undefined || more !== undefined) return [];
    const group = (key.split(/\s+/).at(-1) ?? '').replace(/^\//, '');
    return [{ index, key, group, choice: document.text(['defaults', index, key]) }];
  }).flat();
}

/** Returns what the file was written for. */
export function executorOf(document: ConfigDocument): Executor | undefined {
  const chosen = groupEntries(document).find(({ group }) => group === 'execution')?.choice;
  const type = document.text(['execution', 'type']) ?? chosen?.split('/')[0];
  return executors.find((executor) => executor === type);
}

export const deploymentOf = (document: ConfigDocument): string | undefined =>
  document.text(['deployment', 'type']) ?? groupEntries(document).find(({ group }) => group === 'deployment')?.choice;

/** Whether the file is a config of its own, and not a part that another file includes. */
export const isWhole = (document: ConfigDocument): boolean =>
  groupEntries(document).some(({ group }) => group === 'execution' || group === 'deployment') ||
  document.has(['execution', 'type']) ||
  document.has(['deployment', 'type']);

export function migrateDefaults(session: Session): void {
  const { document } = session;
  const entries = groupEntries(document);
  for (const entry of entries) {
    if (entry.group === 'execution') chooseLepton(session, entry);
    else if (entry.group === 'deployment') chooseDeployment(session, entry);
  }
  const type = document.text(['execution', 'type']);
  if (type === 'local' || type === 'slurm') {
    document.setText(['execution', 'type'], 'lepton');
    session.changed(['execution', 'type'], `lepton (was ${type})`, 'runs are carried out on Lepton');
  }
  if (isWhole(document)) addMissing(session, entries);
}

function chooseLepton(session: Session, { index, key, choice }: GroupEntry): void {
  if (choice === undefined || choice === 'lepton' || choice === 'lepton/default') return;
  const path: DocumentPath = ['defaults', index, key];
  if (session.hasOwnConfig(`execution/${choice}`)) {
    session.note(`execution: ${choice} is a file of your own: migrate it too, execution/${choice}.yaml`);
    return;
  }
  if (choice.includes('${')) {
    session.ask(path, `\`${choice}\` can't be resolved here`, 'execution: lepton is the only executor');
    return;
  }
  session.document.setText(path, 'lepton');
  session.changed(path, `lepton (was ${choice})`, 'runs are carried out on Lepton');
}

function chooseDeployment(session: Session, { index, key, choice }: GroupEntry): void {
  if (choice !== 'vllm_ray') return;
  session.document.setText(['defaults', index, key], 'vllm');
  session.changed(
    ['defaults', index, key],
    'vllm (was vllm_ray)',
    'an endpoint is one node: vLLM needs no Ray to use all of its GPUs',
  );
}

function addMissing(session: Session, entries: readonly GroupEntry[]): void {
  const { document } = session;
  const includesOthers = Array.from({ length: document.length(['defaults']) }).some((_item, index) => {
    const node = document.at(['defaults', index]);
    return isScalarNode(node) && node.value !== '_self_';
  });
  if (includesOthers) return;
  const has = (group: string): boolean => entries.some((entry) => entry.group === group);
  const deployment = session.deployment ?? 'none';
  const missing = [
    ...(has('execution') ? [] : [newMap({ execution: 'lepton' })]),
    ...(has('deployment') ? [] : [newMap({ deployment: deployment === 'vllm_ray' ? 'vllm' : deployment })]),
  ];
  if (missing.length === 0) return;
  if (!document.has(['defaults'])) document.putFirst('defaults', newList([...missing, newScalar('_self_')]));
  else for (const item of missing.reverse()) document.prepend(['defaults'], item);
  session.changed(['defaults'], 'added', 'the list chooses the executor and the deployment, and their default values');
}
