import { nearestNames } from '../support/nearest';
import { misfit, ok, warn, type Answer, type Finding } from './finding';
import type { Named, Needs } from './needs';
import { shapesOf, type WorkspaceAnswers } from './workspace-answers';

/** Checks whether a workspace has what a run names. Pure. A missing answer is a warning at most. */

/** Names shown in a message. */
const mostShown = 12;

export function checkNodeGroups({ nodeGroups: wanted }: Needs, { nodeGroups }: WorkspaceAnswers): Finding[] {
  const about = 'node group';
  if (wanted.length === 0) return [ok(about, 'any (none is named)')];
  if (nodeGroups.kind === 'unknown') return [unansweredFinding(about, wanted, nodeGroups)];
  const known = nodeGroups.value;
  return wanted.map(({ name, by }) => {
    const found = known.find(({ id }) => id === name) ?? known.find((group) => group.name === name);
    if (found) return ok(about, `${name} (${by})`);
    const listed = known.map(({ id, name: called }) => (id === called ? id : `${called} (${id})`));
    return misfit(
      about,
      `"${name}" (${by}) is not in this workspace; it has: ${shown(listed)}`,
      'set node_group below execution.lepton_platform to one of them, or to null for any',
    );
  });
}

/**
 * Checks secrets, without which a container doesn't start. A missing token is only a warning, because it is a guess that the
 * service keeps tokens among its secrets. `binding: false`: the local platform, which has only the secrets that runs bring.
 */
export function checkSecrets(
  { secrets, tokens }: Needs,
  { secretNames }: WorkspaceAnswers,
  { binding = true }: { readonly binding?: boolean } = {},
): Finding[] {
  const about = 'secret';
  const wanted = [...secrets, ...tokens.filter(({ name }) => !secrets.some((secret) => secret.name === name))];
  if (wanted.length === 0) return [ok(about, 'the config names no workspace secret')];
  if (secretNames.kind === 'unknown') return [unansweredFinding(about, wanted, secretNames)];
  const known = secretNames.value;
  return wanted.map(({ name, by }) => {
    if (known.includes(name)) return ok(about, `${name} (${by})`);
    const [close] = nearestNames(name, known, 1);
    const judge = secrets.some((secret) => secret.name === name) ? misfit : warn;
    return judge(
      about,
      `the workspace has no secret "${name}" (${by})${close === undefined ? '' : `; it has "${close}"`}`,
      binding
        ? `create it (lep secret create -n ${name} -v …), or name another one`
        : `name a variable of this machine instead: host:${name}`,
    );
  });
}

/** Checks shapes. `binding`: the platform refuses shapes that it doesn't list (the local one accepts any). */
export function checkShapes(
  { shapes: wanted }: Needs,
  { info, shapeNames }: WorkspaceAnswers,
  { binding }: { readonly binding: boolean },
): Finding[] {
  const about = 'shape';
  const known = shapesOf({ info, shapeNames });
  if (known.size === 0) return [ok(about, `${wanted.map(({ name }) => name).join(', ')} (the workspace lists none)`)];
  return wanted.map(({ name, by }) => {
    if (known.has(name.toLowerCase())) return ok(about, `${name} (${by})`);
    const kind = `${name.split('.')[0] ?? ''}.`;
    const alike = [...known].filter((other) => other.startsWith(kind));
    const [close] = nearestNames(name, known, 1);
    const judge = binding ? misfit : warn;
    return judge(
      about,
      `the workspace has no shape "${name}" (${by})${close === undefined ? '' : `; the nearest is "${close}"`}`,
      `choose one of: ${shown(alike.length > 0 ? alike : [...known])}`,
    );
  });
}

function unansweredFinding(
  about: string,
  wanted: readonly Named[],
  { reason }: Extract<Answer<unknown>, { kind: 'unknown' }>,
): Finding {
  const names = wanted.map(({ name }) => name).join(', ');
  return warn(about, `the workspace does not say what it has (${reason})`, `make sure that it has ${names}`);
}

function shown(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  const listed = names.toSorted().slice(0, mostShown);
  return `${listed.join(', ')}${names.length > listed.length ? `, … (${names.length})` : ''}`;
}
