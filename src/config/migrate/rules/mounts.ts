/** Folders of another machine: what is mounted into containers there is looked for in a volume of the workspace here. */
import { foreignKey } from '../../schema/foreign-executors';
import type { Session } from '../session';
import { newList, newMap } from '../yaml-nodes';
import type { DocumentPath } from '../yaml-nodes';

/** Folders in which servers and harnesses keep what they download; without the mount they download it again. */
const cacheFolder = /(?:^|\/)(?:\.cache(?:\/.*)?|hf_home|hf_cache|hf-cache|huggingface|nim\/cache)$/;

const base = ['execution', 'mounts'];
const endpointMount = ['deployment', 'lepton_config', 'mounts'];
const jobMounts = ['execution', 'lepton_platform', 'tasks', 'mounts'];

const isForeign = (path: DocumentPath): boolean => foreignKey(path) !== undefined;

export function migrateMounts(session: Session): void {
  const { document } = session;
  mountCheckpoint(session);
  if (!document.has(base)) return;
  session.remove([...base, 'mount_home'], 'no home folder is mounted into containers on Lepton');
  for (const kind of ['deployment', 'evaluation'] as const)
    for (const host of document.keys([...base, kind])) migrateMount(session, kind, host);
  for (const kind of ['deployment', 'evaluation', 'auxiliary'])
    if (isEmpty(session, [...base, kind])) session.remove([...base, kind], 'it is empty', isForeign);
  if (isEmpty(session, base)) session.remove(base, 'it is empty', isForeign);
}

const isEmpty = ({ document }: Session, path: DocumentPath): boolean =>
  document.has(path) && document.keys(path).length === 0;

function migrateMount(session: Session, kind: 'deployment' | 'evaluation', host: string): void {
  const { document } = session;
  const path = [...base, kind, host];
  const inside = (document.text(path) ?? '').replace(/:r[ow]$/, '');
  if (cacheFolder.test(inside) || cacheFolder.test(host)) {
    const advice = kind === 'deployment' ? '; deployment.lepton_config.mounts keeps one in a volume' : '';
    session.remove(path, `a cache on the other machine${advice}`, isForeign);
    return;
  }
  if (inside === '' || !isMentioned(session, inside)) {
    session.remove(path, 'a folder of the other machine, which nothing in this file mentions', isForeign);
    return;
  }
  if (!host.startsWith('/') || !inside.startsWith('/') || `${host}${inside}`.includes('${')) {
    session.ask(
      path,
      `the folder ${host} is on another machine, and other values expect it at ${inside}`,
      advice(kind),
    );
    return;
  }
  const isMounted = kind === 'deployment' ? mountInServer(session, host, inside) : mountInJobs(session, host, inside);
  if (!isMounted) {
    session.ask(path, `the folder ${host} is on another machine, and another one is mounted already`, advice(kind));
    return;
  }
  document.take(path);
  const target = kind === 'deployment' ? endpointMount : jobMounts;
  session.changed(path, `now ${target.join('.')}`, 'a folder in a volume of the workspace, at the same path');
  session.ask(target, toCopy(host), 'or change the folder, or remove the mount');
}

const toCopy = (host: string): string => `copy ${host} of the other machine to this folder of the volume`;

const advice = (kind: 'deployment' | 'evaluation'): string =>
  `copy it to a volume of the workspace, mount that with ${(kind === 'deployment' ? endpointMount : jobMounts).join('.')}, and remove this`;

function mountInServer({ document }: Session, host: string, inside: string): boolean {
  if (document.has(endpointMount)) return false;
  return document.put(endpointMount, newMap({ enabled: 'true', cache_path: host, mount_path: inside }));
}

/** The first mount of the jobs is the run's own storage, so the list begins with the preset's. */
function mountInJobs({ document }: Session, host: string, inside: string): boolean {
  const volume = document.text([...jobMounts, 0, 'from']) ?? 'node-nfs:lepton-shared-fs';
  const item = newMap({ from: volume, path: host, mount_path: inside });
  if (document.length(jobMounts) > 0) return document.append(jobMounts, item);
  const storage = { from: volume, path: '/shared/nemo-evaluator-launcher-workspace', mount_path: '/workspace' };
  return document.put(jobMounts, newList([newMap(storage), item]));
}

/** The launcher mounted the folder of the weights as /checkpoint, which a command of the user's own may name. */
function mountCheckpoint(session: Session): void {
  const { document, executor, deployment } = session;
  const path = ['deployment', 'checkpoint_path'];
  const folder = document.text(path);
  if (executor === 'lepton' || deployment === undefined || deployment === 'none' || deployment === 'nim') return;
  if (folder === undefined || !/^[/~.]/.test(folder)) return;
  const isNamed = ['command', 'base_command'].some((key) =>
    /\/checkpoint\b/.test(document.text(['deployment', key]) ?? ''),
  );
  const inside = isNamed ? '/checkpoint' : folder;
  const hint = 'or name a model of the hub instead: hf_model_handle: org/model';
  if (!folder.startsWith('/') || folder.includes('${') || !mountInServer(session, folder, inside)) {
    session.ask(path, 'the weights are in a folder of another machine', `${advice('deployment')}; ${hint}`);
    return;
  }
  session.changed(path, `also ${endpointMount.join('.')}`, 'the weights are looked for in a volume of the workspace');
  session.ask(endpointMount, toCopy(folder), hint);
}

/** Whether a value that stays in the file has the path in it. */
function isMentioned({ document }: Session, folder: string): boolean {
  const wanted = folder.replace(/\/+$/, '');
  for (const { path, text } of document.scalars()) if (!isForeign(path) && text.includes(wanted)) return true;
  return false;
}
