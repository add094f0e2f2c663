import path from 'node:path';
import { isPlainObject } from '../../support/plain-object';
import { invalid } from '../api-error';
import { numberAt, textAt, type JsonObject } from '../json';

/**
 * The checks that the service and its clients make, run before anything is stored. All functions throw `ApiError` 400
 * with a message that says which field is wrong and why. Limits are those of leptonai 0.47.1.
 */

const maxNameLength = 36;
const reservedVariables = new Set([
  'LEPTON_WORKSPACE_ID',
  'LEPTON_DEPLOYMENT_NAME',
  'LEPTON_JOB_NAME',
  'LEPTON_RESOURCE_ACCELERATOR_TYPE',
  'LEPTON_WORKSPACE_ORIGIN_URL',
]);
const systemFolders = new Set(
  (
    '/ /bin /boot /dev /etc /lib /lib64 /media /opt /proc /run /sbin /srv /sys /usr /usr/bin /usr/lib /usr/local ' +
    '/usr/sbin /var /sys/fs/cgroup /sys/kernel/security /proc/sys /proc/bus'
  ).split(' '),
);
const priorities = new Set(
  'low-1000 low-2000 low-3000 mid-4000 mid-5000 mid-6000 high-7000 high-8000 high-9000'.split(' '),
);

export type ResourceKind = 'deployment' | 'job';

export function checkName(kind: ResourceKind, name: string): void {
  const problem = nameProblem(name);
  if (problem !== undefined) throw invalid(`${kind} name ${quoted(name)}: ${problem}`);
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if (name.length > maxNameLength) return `must have at most ${maxNameLength} characters, has ${name.length}`;
  if (!/^[a-z][a-z0-9-]*$/.test(name)) {
    return 'must start with a lower-case letter and contain only lower-case letters, digits and "-"';
  }
  if (name.endsWith('-')) return 'must not end with "-"';
  if (name.endsWith('by-lepton')) return 'must not end with "by-lepton"';
  return undefined;
}

export function checkVariableName(field: string, name: unknown): void {
  if (typeof name !== 'string' || !/^[A-Za-z._-][A-Za-z0-9._-]*$/.test(name)) {
    throw invalid(
      `${field}: ${quoted(name)} is not a variable name (letters, digits, ".", "_" and "-", not starting with a digit)`,
    );
  }
  if (reservedVariables.has(name)) throw invalid(`${field}: ${name} is reserved for the platform`);
}

export function checkDeploymentSpec(spec: JsonObject): void {
  checkShared(spec);
  const requirement = spec['resource_requirement'];
  if (requirement !== undefined && !isPlainObject(requirement))
    throw invalid('spec.resource_requirement: must be an object');
  checkReplicas(requirement ?? {});
  checkTokens(listAt(spec, 'api_tokens'));
  checkRange(spec, 'ingress_timeout_seconds', { least: 300, most: 6000 });
  const scaler = spec['auto_scaler'];
  if (isPlainObject(scaler)) {
    checkRange(scaler, 'target_gpu_utilization_percentage', { least: 0, most: 100, at: 'spec.auto_scaler' });
    if (isPlainObject(scaler['scale_down'])) {
      for (const key of ['no_traffic_timeout', 'not_ready_timeout']) {
        checkRange(scaler['scale_down'], key, { least: 0, at: 'spec.auto_scaler.scale_down' });
      }
    }
  }
}

export function checkJobSpec(spec: JsonObject): void {
  checkShared(spec);
  for (const key of ['completions', 'parallelism']) checkRange(spec, key, { least: 1 });
  for (const key of ['max_failure_retry', 'max_job_failure_retry', 'ttl_seconds_after_finished']) {
    checkRange(spec, key, { least: 0 });
  }
}

function checkShared(spec: JsonObject): void {
  const container = spec['container'];
  if (container !== undefined && !isPlainObject(container)) throw invalid('spec.container: must be an object');
  if (container !== undefined) checkContainer(container);
  checkVariables(listAt(spec, 'envs'));
  checkMounts(listAt(spec, 'mounts'));
  const priority = isPlainObject(spec['queue_config']) ? spec['queue_config']['priority_class'] : undefined;
  if (priority !== undefined && !(typeof priority === 'string' && priorities.has(priority))) {
    throw invalid(`spec.queue_config.priority_class: ${quoted(priority)} is not one of ${[...priorities].join(', ')}`);
  }
}

function checkContainer(container: JsonObject): void {
  const command = container['command'];
  if (command !== undefined && !(Array.isArray(command) && command.every((part) => typeof part === 'string'))) {
    throw invalid('spec.container.command: must be a list of strings');
  }
  for (const [index, port] of listAt(container, 'ports', 'spec.container').entries()) {
    const field = `spec.container.ports[${index}]`;
    if (!isPlainObject(port)) throw invalid(`${field}: must be an object`);
    checkRange(port, 'container_port', { least: 1, most: 65_535, at: field, required: true });
    const protocol = port['protocol'];
    if (protocol !== undefined && !/^(tcp|udp|sctp)$/i.test(typeof protocol === 'string' ? protocol : '')) {
      throw invalid(`${field}.protocol: ${quoted(protocol)} is not one of TCP, UDP, SCTP`);
    }
  }
}

function checkVariables(envs: readonly unknown[]): void {
  for (const [index, env] of envs.entries()) {
    const field = `spec.envs[${index}]`;
    if (!isPlainObject(env)) throw invalid(`${field}: must be an object`);
    checkVariableName(`${field}.name`, env['name']);
    if (env['value'] !== undefined && typeof env['value'] !== 'string')
      throw invalid(`${field}.value: must be a string`);
    const from = env['value_from'];
    if (from !== undefined && textAt(from, 'secret_name_ref') === undefined) {
      throw invalid(`${field}.value_from: must name a secret as secret_name_ref`);
    }
  }
}

function checkTokens(tokens: readonly unknown[]): void {
  for (const [index, token] of tokens.entries()) {
    const field = `spec.api_tokens[${index}]`;
    const from = isPlainObject(token) ? token['value_from'] : undefined;
    if (isPlainObject(from) && 'secret_name_ref' in from) {
      throw invalid(`${field}.value_from: tokens are named by token_name_ref, not secret_name_ref`);
    }
    if (textAt(token, 'value') === undefined && textAt(from, 'token_name_ref') === undefined) {
      throw invalid(`${field}: must have a value, or value_from.token_name_ref`);
    }
  }
}

function checkMounts(mounts: readonly unknown[]): void {
  for (const [index, mount] of mounts.entries()) {
    const field = `spec.mounts[${index}]`;
    const target = textAt(mount, 'mount_path');
    if (target === undefined || !path.posix.isAbsolute(target)) {
      throw invalid(`${field}.mount_path: must be an absolute path, got ${quoted(target)}`);
    }
    const normal = path.posix.normalize(target).replace(/(.)\/+$/, '$1');
    if (systemFolders.has(normal)) throw invalid(`${field}.mount_path: ${normal} is a system folder; mount below it`);
    if (textAt(mount, 'from') === undefined) {
      throw invalid(`${field}.from: must name the storage, e.g. node-nfs:lepton-shared-fs`);
    }
    const source = isPlainObject(mount) ? mount['path'] : undefined;
    if (source !== undefined && typeof source !== 'string') throw invalid(`${field}.path: must be a string`);
    if (source?.split('/').includes('..')) throw invalid(`${field}.path: must not contain ".."`);
  }
}

function checkReplicas(requirement: JsonObject): void {
  const at = 'spec.resource_requirement';
  checkRange(requirement, 'min_replicas', { least: 0, at });
  checkRange(requirement, 'max_replicas', { least: 0, at });
  const [least, most] = [numberAt(requirement, 'min_replicas'), numberAt(requirement, 'max_replicas')];
  if (most === undefined) return;
  if (least === undefined) throw invalid(`${at}.max_replicas: needs min_replicas as well`);
  if (least > most) throw invalid(`${at}: min_replicas (${least}) must not exceed max_replicas (${most})`);
}

interface Range {
  readonly least: number;
  readonly most?: number;
  /** Path of the object, for messages. Default `spec`. */
  readonly at?: string;
  readonly required?: boolean;
}

function checkRange(object: JsonObject, key: string, { least, most, at = 'spec', required = false }: Range): void {
  const value = object[key];
  if (value === undefined && !required) return;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= (most ?? Infinity)) return;
  const limits = most === undefined ? `a whole number of at least ${least}` : `a whole number from ${least} to ${most}`;
  throw invalid(`${at}.${key}: must be ${limits}, got ${quoted(value)}`);
}

function listAt(object: JsonObject, key: string, at = 'spec'): readonly unknown[] {
  const value = object[key];
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalid(`${at}.${key}: must be a list`);
  return value as unknown[];
}

const quoted = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
