/** Environment variables: where they belong, and the prefix that says where a value comes from. */
import { isSecretName, isSurelySecretName } from '../../../secrets/names';
import { looksLikeToken } from '../../../secrets/secrecy';
import { isScalarNode, newScalar, scalarValue } from '../yaml-nodes';
import type { DocumentPath } from '../yaml-nodes';
import type { Session } from '../session';

const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A value as written, and the places that understand it differently. */
interface Written {
  readonly name: string;
  readonly text: string;
  /** Quoted, or plain text: no number, truth value or null. */
  readonly isText: boolean;
  /** In version 0.1, `literal` maps were copied into a script, and `named` ones held names of the host's variables. */
  readonly kind: 'literal' | 'named';
}

export type Prefixed =
  | { readonly kind: 'same' }
  | { readonly kind: 'new'; readonly text: string; readonly reason: string }
  | { readonly kind: 'ask'; readonly message: string; readonly hint: string };

const same: Prefixed = { kind: 'same' };

/** Decides how a value is written with a prefix, as `nel-migrate-config` does except where that would break it. Pure. */
export function prefixed({ name, text, isText, kind }: Written): Prefixed {
  const trimmed = text.trim();
  if (/^(?:host|lit|runtime):/.test(trimmed)) return same;
  const fromHost = `from a variable of this host: ${name}: host:${name}; from the workspace: ${name}: {value_from: {secret_name_ref: NAME}}`;
  if (looksLikeToken(trimmed))
    return { kind: 'ask', message: 'what looks like a secret itself is in the file: take it out', hint: fromHost };
  if (trimmed.includes('${oc.decode:')) return same;
  const variable = /^\$\{oc\.env:\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}$/.exec(trimmed)?.[1];
  if (variable !== undefined) return host(variable, 'a value from the environment stays a reference');
  // With a default it is no plain reference, and it works as it is.
  if (/^\$\{[^{}]*\}$/.test(trimmed)) return same;
  const shell = /^\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?$/.exec(trimmed)?.[1];
  if (shell !== undefined) return host(shell, 'the value of a variable of the host');
  if (!isText) return { kind: 'new', text: `lit:${pythonText(text)}`, reason: 'a text needs its prefix' };
  if (!identifier.test(trimmed)) {
    if (isSurelySecretName(name))
      return {
        kind: 'ask',
        message: 'a variable of this name holds a secret, and secrets do not belong in a config',
        hint: fromHost,
      };
    return { kind: 'new', text: `lit:${trimmed}`, reason: 'a text needs its prefix' };
  }
  if (trimmed === trimmed.toUpperCase()) return host(trimmed, 'the name of a variable of the host');
  if (isSecretName(name))
    return {
      kind: 'ask',
      message: `\`${trimmed}\` may be the name of a variable of the host, or the value itself`,
      hint: `${name}: host:${trimmed}, if it is the name; ${fromHost}`,
    };
  return kind === 'named'
    ? host(trimmed, 'the name of a variable of the host')
    : { kind: 'new', text: `lit:${trimmed}`, reason: 'a text needs its prefix' };
}

const host = (variable: string, reason: string): Prefixed => ({ kind: 'new', text: `host:${variable}`, reason });

/** Truth values as Python wrote them into the container. */
const pythonText = (text: string): string => {
  if (/^(?:true|yes|on)$/i.test(text)) return 'True';
  return /^(?:false|no|off)$/i.test(text) ? 'False' : text;
};

export function migrateVariables(session: Session): void {
  relocate(session);
  const { document } = session;
  prefixAll(session, ['env_vars'], 'named');
  prefixAll(session, ['deployment', 'env_vars'], 'literal');
  prefixAll(session, ['evaluation', 'env_vars'], 'named');
  prefixAll(session, ['export', 'env_vars'], 'named');
  for (let index = 0; index < document.length(['evaluation', 'tasks']); index++)
    prefixAll(session, ['evaluation', 'tasks', index, 'env_vars'], 'named');
  for (const name of document.keys(['auxiliary_deployments']))
    prefixAll(session, ['auxiliary_deployments', name, 'env_vars'], 'literal');
  for (const path of leptonMaps) referToSecrets(session, path);
}

/** `execution.env_vars` of version 0.1: variables of the server, and of the jobs. */
function relocate(session: Session): void {
  const { document } = session;
  const base = ['execution', 'env_vars'];
  if (!document.has(base)) return;
  const places = { deployment: ['deployment', 'env_vars'], evaluation: ['env_vars'] } as const;
  for (const [kind, target] of Object.entries(places)) {
    const from = [...base, kind];
    for (const name of document.keys(from)) {
      const to = [...target, name];
      if (document.has(to)) session.remove([...from, name], `${to.join('.')} is set already`);
      else if (
        session.move([...from, name], to, kind === 'deployment' ? 'variables of the server' : 'variables of the jobs')
      )
        prefix(session, to, 'literal');
    }
    if (document.keys(from).length === 0) session.remove(from, 'it is empty');
  }
  for (const name of document.keys([...base, 'export'])) {
    const to = ['export', 'env_vars', name];
    if (document.has(to)) session.remove([...base, 'export', name], `${to.join('.')} is set already`);
    else if (session.move([...base, 'export', name], to, 'variables of the exporters')) prefix(session, to, 'literal');
  }
  if (document.has([...base, 'export']) && document.keys([...base, 'export']).length === 0)
    session.remove([...base, 'export'], 'it is empty');
  if (document.has(base) && document.keys(base).length === 0) session.remove(base, 'it is empty');
}

const prefixAll = (session: Session, map: DocumentPath, kind: Written['kind']): void => {
  for (const name of session.document.keys(map)) prefix(session, [...map, name], kind);
};

function prefix(session: Session, path: DocumentPath, kind: Written['kind']): void {
  const { document } = session;
  const name = String(path.at(-1));
  const node = document.at(path);
  if (node === null || (isScalarNode(node) && scalarValue(node) === null)) {
    session.ask(path, 'the variable has no value', `set one, or take it from the host: ${name}: host:${name}`);
    return;
  }
  if (!isScalarNode(node)) return;
  const isText = typeof scalarValue(node) === 'string';
  const result = prefixed({ name, text: String(node.value), isText, kind });
  if (result.kind === 'ask') session.ask(path, result.message, result.hint);
  if (result.kind !== 'new') return;
  const shown = document.text(path) ?? '';
  document.setText(path, result.text);
  session.changed(path, `${result.text} (was ${shown})`, result.reason);
}

const leptonMaps: readonly DocumentPath[] = [
  ['execution', 'lepton_platform', 'tasks', 'env_vars'],
  ['deployment', 'lepton_config', 'envs'],
  ['deployment', 'envs'],
];

/** In Lepton's maps a text is a text; but under the name of a secret, the name of a variable can only mean its value. */
function referToSecrets(session: Session, map: DocumentPath): void {
  const { document } = session;
  for (const name of document.keys(map)) {
    const path = [...map, name];
    const text = document.text(path);
    if (text === undefined || !isSurelySecretName(name) || looksLikeToken(text)) continue;
    const variable = /^\$?\{?([A-Z][A-Z0-9]*_[A-Z0-9_]*)\}?$/.exec(text)?.[1];
    if (variable === undefined) continue;
    document.setText(path, `host:${variable}`);
    session.changed(path, `host:${variable} (was ${text})`, 'the name of a variable of the host stands for its value');
  }
}

/** Variables at the top reach the server too, in the launcher: they are repeated for the endpoint. */
export function giveToServer(session: Session): void {
  const { document, executor, deployment } = session;
  if (executor === 'lepton' || executor === undefined) return;
  if (deployment === undefined || deployment === 'none') return;
  for (const name of document.keys(['env_vars'])) {
    const to = ['deployment', 'env_vars', name];
    const text = document.text(['env_vars', name]);
    if (text === undefined || document.has(to)) continue;
    document.put(to, newScalar(text));
    session.changed(['env_vars', name], `also deployment.env_vars.${name}`, 'the launcher gives it to the server too');
  }
}
