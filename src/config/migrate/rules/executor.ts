/** `execution`: settings of the local and the Slurm executor. Those with an equivalent are translated, the others removed. */
import { isKnownKey } from '../known-keys';
import type { DocumentPath } from '../yaml-nodes';
import type { Session } from '../session';
import { slurmSeconds, durationText } from './slurm-time';

/** Why a key has no effect on Lepton. */
const withoutEffect: Readonly<Record<string, string>> = {
  hostname: "Slurm's login node",
  username: "the user on Slurm's login node",
  account: "Slurm's account",
  partition: "Slurm's queue: on Lepton, node groups have this role (execution.lepton_platform.*.node_group)",
  cpu_partition: "Slurm's queue for exports",
  num_nodes: "Slurm's nodes: on Lepton the resource shape says how large the endpoint is",
  num_instances: "Slurm's instances: on Lepton, replicas of the endpoint",
  ntasks_per_node: "Slurm's tasks per node",
  gres: "Slurm's GPUs: on Lepton the resource shape says how many there are",
  gpus_per_node: "Slurm's GPUs: on Lepton the resource shape says how many there are",
  subproject: "a part of Slurm's job names",
  sbatch_comment: "a comment on Slurm's jobs",
  sbatch_extra_flags: 'options of sbatch',
  deployment: "options of Slurm's srun for the server",
  proxy: "the proxy in front of Slurm's instances: Lepton has its own",
  mode: 'tasks run side by side, each with its own endpoint; execution.max_parallel_endpoints limits how many',
};

export const isForeign = (path: DocumentPath): boolean =>
  path[0] === 'execution' &&
  (Object.hasOwn(withoutEffect, String(path[1])) ||
    ['walltime', 'max_walltime', 'mounts', 'extra_docker_args'].includes(String(path[1])));

export function migrateExecutor(session: Session): void {
  translateTimes(session);
  translateInstances(session);
  dropMounts(session);
  dropDockerArguments(session);
  dropExports(session);
  for (const [key, reason] of Object.entries(withoutEffect)) session.remove(['execution', key], reason, isForeign);
}

function translateTimes(session: Session): void {
  const job = ['execution', 'evaluation_tasks', 'timeout'];
  translateTime(session, ['execution', 'walltime'], job, "Slurm's limit for one job");
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

/** Folders in which servers and harnesses keep what they download; without the mount they download it again. */
const cacheFolder = /(?:^|\/)(?:\.cache(?:\/.*)?|hf_home|hf_cache|hf-cache|huggingface|nim\/cache)$/;

function dropMounts(session: Session): void {
  const { document } = session;
  const base = ['execution', 'mounts'];
  if (!document.has(base)) return;
  session.remove([...base, 'mount_home'], 'no home folder is mounted into containers on Lepton');
  for (const kind of ['deployment', 'evaluation']) {
    const target = kind === 'deployment' ? 'deployment.lepton_config.mounts' : 'execution.lepton_platform.tasks.mounts';
    for (const host of document.keys([...base, kind])) {
      const path = [...base, kind, host];
      const inside = document.text(path) ?? '';
      if (cacheFolder.test(inside) || cacheFolder.test(host)) {
        const advice = kind === 'deployment' ? `; ${target} keeps a cache in a volume of the workspace` : '';
        session.remove(path, `a cache on the other machine${advice}`, isForeign);
      } else if (inside === '' || !isMentioned(session, inside))
        session.remove(path, 'a folder of the other machine, which nothing in this file mentions', isForeign);
      else
        session.ask(
          path,
          `the folder ${host} is on another machine, and other values expect it at ${inside}`,
          `copy it to a volume of the workspace, mount that with ${target}, and remove this`,
        );
    }
    if (document.isMapAt([...base, kind]) && document.keys([...base, kind]).length === 0)
      session.remove([...base, kind], 'it is empty', isForeign);
  }
  if (document.has(base) && document.keys(base).length === 0) session.remove(base, 'it is empty', isForeign);
}

/** Whether a value that stays in the file has the path in it. */
function isMentioned({ document }: Session, folder: string): boolean {
  const wanted = folder.replace(/\/+$/, '');
  for (const { path, text } of document.scalars()) if (!isForeign(path) && text.includes(wanted)) return true;
  return false;
}

/** Exports after a run, as far as this version has them. */
function dropExports(session: Session): void {
  const why =
    'a run exports nothing: `evalsaga results ID --json` prints the scores, and the files are in execution.output_dir';
  if (!isKnownKey(['execution', 'auto_export'])) session.remove(['execution', 'auto_export'], why);
  if (!isKnownKey(['export'])) session.remove(['export'], why);
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
