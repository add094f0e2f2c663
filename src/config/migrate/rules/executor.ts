/** `execution`: settings of the local and the Slurm executor. Those with an equivalent are translated, the others removed. */
import { foreignKey, foreignKeys } from '../../schema/foreign-executors';
import { isKnownKey } from '../known-keys';
import type { DocumentPath } from '../yaml-nodes';
import type { Session } from '../session';
import { migrateMounts } from './mounts';
import { slurmSeconds, durationText } from './slurm-time';

/** Why a key has no effect on Lepton, where its name does not say it. */
const reasons: Readonly<Record<string, string>> = {
  'execution.hostname': "Slurm's login node",
  'execution.username': "the user on Slurm's login node",
  'execution.account': "Slurm's account",
  'execution.partition': "Slurm's queue: node groups have this role (execution.lepton_platform.*.node_group)",
  'execution.cpu_partition': "Slurm's queue for exports",
  'execution.subproject': "a part of the names of Slurm's jobs",
  'execution.sbatch_comment': "a comment on Slurm's jobs",
  'execution.sbatch_extra_flags': 'options of sbatch',
  'execution.deployment': 'options of srun for the server',
  'execution.proxy': "the proxy in front of Slurm's instances: Lepton has its own",
  'execution.mode':
    'tasks run side by side, each with its own endpoint; execution.max_parallel_endpoints limits how many',
};

export const isForeign = (path: DocumentPath): boolean => foreignKey(path) !== undefined;

export function migrateExecutor(session: Session): void {
  translateTimes(session);
  translateInstances(session);
  migrateMounts(session);
  dropDockerArguments(session);
  dropExports(session);
  for (const { path, of, instead } of foreignKeys) {
    if (path.startsWith('execution.mounts') || path === 'execution.extra_docker_args' || of === 'export') continue;
    const here = instead === undefined ? '' : `; ${instead} has this role`;
    session.remove(
      path.split('.'),
      reasons[path] ?? `a setting of the ${executorNames[of]} executor${here}`,
      isForeign,
    );
  }
}

const executorNames = { slurm: 'Slurm', local: 'local' } as const;

function translateTimes(session: Session): void {
  const job = ['execution', 'evaluation_tasks', 'timeout'];
  translateTime(session, ['execution', 'walltime'], job, "Slurm's limit for one job");
  translateTime(session, ['execution', 'time_limit'], job, "Slurm's limit for one job");
  translateTime(session, ['execution', 'max_walltime'], ['execution', 'max_run_time'], 'the limit for the whole run');
  const ready = ['execution', 'endpoint_readiness_timeout'];
  const { document } = session;
  if (!document.has(ready)) return;
  if (document.text(ready) === undefined || document.text(ready) === '???') {
    session.remove(ready, 'no value was set');
    return;
  }
  session.move(
    ready,
    ['execution', 'lepton_platform', 'deployment', 'endpoint_readiness_timeout'],
    'how long an endpoint may take to get ready',
  );
}

function translateTime(session: Session, from: DocumentPath, to: DocumentPath, reason: string): void {
  const { document } = session;
  if (!document.has(from)) return;
  const text = document.text(from);
  if (text === undefined || text === '???') {
    session.remove(from, 'no value was set');
    return;
  }
  if (document.has(to)) {
    session.remove(from, `${to.join('.')} is set already`);
    return;
  }
  if (/^(?:unlimited|infinite|infinity|0)$/i.test(text)) {
    session.remove(from, 'it sets no limit');
    return;
  }
  const seconds = slurmSeconds(text);
  if (seconds === undefined && !text.includes('${')) {
    session.ask(from, `\`${text}\` is no time that Slurm knows`, `set ${to.join('.')}: seconds, or 90m, 4h`);
    return;
  }
  if (seconds !== undefined) document.setText(from, durationText(seconds));
  session.move(from, to, `${reason} (${text})`);
}

/** Slurm's instances of the server become replicas of the endpoint. */
function translateInstances(session: Session): void {
  const { document } = session;
  const multiple = document.value(['deployment', 'multiple_instances']);
  const source = multiple === true ? 'num_nodes' : 'num_instances';
  const count = Number(document.text(['execution', source]) ?? 1);
  session.remove(['deployment', 'multiple_instances'], "Slurm's instances: replicas of the endpoint have this role");
  session.remove(['deployment', 'num_instances'], "Slurm's instances: replicas of the endpoint have this role");
  const config = ['deployment', 'lepton_config'];
  if (!Number.isInteger(count) || count < 2 || document.has([...config, 'min_replicas'])) return;
  document.putText([...config, 'min_replicas'], String(count));
  if (!document.has([...config, 'max_replicas'])) document.putText([...config, 'max_replicas'], String(count));
  session.changed(
    ['execution', source],
    `deployment.lepton_config.min_replicas and max_replicas: ${count}`,
    'each instance of the server becomes a replica of the endpoint',
  );
}

/** Exports after a run are kept; what only the launcher's own way of making them needs is not. */
function dropExports(session: Session): void {
  const why =
    "exports are made by evalsaga's workers, from the run's own results: they need no image, mounts or folders";
  for (const { path, of } of foreignKeys) {
    const keys = path.split('.');
    if (of === 'export' && !isKnownKey(keys)) session.remove(keys, why, isForeign);
  }
  const { document } = session;
  for (const target of document.keys(['export']))
    for (const [old, today] of [
      ['log_logs', 'copy_logs'],
      ['log_artifacts', 'copy_artifacts'],
    ] as const)
      if (document.has(['export', target, old]))
        session.move(['export', target, old], ['export', target, today], 'the name of today');
}

/** Options of `docker run` that have no counterpart because Lepton's containers don't need them. */
const harmlessOption =
  /^(?:--network|--net|--gpus|--ipc|--rm|--runtime|--ulimit|--user|-u|--add-host|--privileged|--pid)$/;

function dropDockerArguments(session: Session): void {
  const path = ['execution', 'extra_docker_args'];
  const text = session.document.text(path) ?? '';
  const words = text.split(/\s+/).filter((word) => word !== '');
  const options = words.filter((word) => word.startsWith('-')).map((word) => word.split('=')[0] ?? word);
  const odd = options.filter((option) => !harmlessOption.test(option));
  if (odd.length === 0) session.remove(path, 'options of `docker run`, which Lepton does not use', isForeign);
  else
    session.ask(
      path,
      `options of \`docker run\` with an effect in the container: ${odd.join(' ')}`,
      'variables: evaluation.env_vars; folders: execution.lepton_platform.tasks.mounts; /dev/shm: execution.evaluation_tasks.shared_memory_size; then remove this',
    );
}
