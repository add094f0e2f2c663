/** Turns the composed tree into a typed config, reporting all problems at once. */
import type { z } from 'zod';
import { nearestNames } from '../../support/nearest';
import { placeOf } from '../yaml/problems';
import type { ConfigProblem } from '../yaml/problems';
import { configSchema } from '../schema/config';
import type { ResolvedConfig } from '../schema/config';
import { deploymentTypes } from '../schema/deployment';
import type { DeploymentType } from '../schema/deployment';
import { toRaw } from '../schema/leaf';
import { foreignKey } from '../schema/foreign-executors';
import type { ForeignTool } from '../schema/foreign-executors';
import { placesOfOldVariables } from '../older-forms';
import { placesFor } from './key-places';
import { sectionOf } from '../schema/section';
import type { SectionInfo } from '../schema/section';
import type { MisspeltKey } from './misspelt-keys';
import type { Resolution } from '../hydra/interpolation/resolve-interpolations';
import { isMissing, nearestNodeAt, nodeAt, placeOfNode, scalarsOf } from '../yaml/tree';
import type { ConfigNode, Path } from '../yaml/tree';

export interface Validation {
  readonly config: ResolvedConfig | undefined;
  readonly problems: readonly ConfigProblem[];
  /** Unknown keys among the problems. */
  readonly misspeltKeys: readonly MisspeltKey[];
  /** The problems about keys that the schema does not know; `undefined` if the config was not checked completely. */
  readonly unknownKeys: readonly ConfigProblem[] | undefined;
}

export function validate(resolution: Resolution): Validation {
  const { root, failedPaths: broken } = resolution;
  const missing = missingValues(root);
  const alreadyReported = new Set([...broken, ...missing.map(({ path }) => path)]);
  const groups = missingGroups(root);
  if (groups.length > 0)
    return { config: undefined, problems: [...missing, ...groups], misspeltKeys: [], unknownKeys: undefined };
  const type = deploymentType(root);
  const chosen = type ?? 'none';
  const result = configSchema(chosen).safeParse(toRaw(root));
  const misspeltKeys: MisspeltKey[] = [];
  const unknownKeys: ConfigProblem[] = [];
  const context = { root, misspeltKeys, unknownKeys };
  const issues = (result.error?.issues ?? []).flatMap((issue) => toProblems(issue, context));
  const relevant = issues.filter(
    ({ path }) => !alreadyReported.has(path) && (type !== undefined || !path.startsWith('deployment.')),
  );
  // What has no effect is not asked for.
  const asked = missing.filter(({ path }) => !unknownKeys.some((unknown) => path.startsWith(`${unknown.path}.`)));
  const problems = [...asked, ...(type === undefined ? [unknownType(root)] : []), ...relevant];
  return { config: result.success ? result.data : undefined, problems, misspeltKeys, unknownKeys };
}

/** Returns the problems behind the issues of a schema that parsed this tree. */
export const problemsOf = (error: z.core.$ZodError, root: ConfigNode): ConfigProblem[] =>
  error.issues.flatMap((issue) => toProblems(issue, { root, misspeltKeys: [], unknownKeys: [] }));

/** Reports every `???` that was not filled in. */
export function missingValues(root: ConfigNode): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  for (const { path, node } of scalarsOf(root)) {
    if (!isMissing(node)) continue;
    const name = path.join('.');
    problems.push({
      ...placeOf(placeOfNode(node)),
      path: name,
      message: 'a value is required (`???`)',
      hint: `set it in the file, or with -o ${name}=VALUE`,
    });
  }
  return problems;
}

/** Reports that no executor or deployment was chosen. Other problems would only be noise then. */
function missingGroups(root: ConfigNode): ConfigProblem[] {
  if (root.kind === 'map' && root.entries.size === 0)
    return [
      {
        ...placeOf(placeOfNode(root)),
        path: '',
        message: 'the config is empty',
        hint: 'begin with `defaults: [execution: lepton, deployment: vllm, _self_]`; for complete configs see examples/',
      },
    ];
  return (['execution', 'deployment'] as const).flatMap((group) => {
    const node = nodeAt(root, [group]);
    if (node?.kind === 'map' && node.entries.size > 0) return [];
    const example = group === 'execution' ? 'lepton' : 'vllm';
    const place = placeOf(placeOfNode(node ?? root));
    return [
      {
        ...place,
        path: group,
        message: `no \`${group}\` is chosen`,
        hint: `add \`- ${group}: ${example}\` to the \`defaults\` list`,
      },
    ];
  });
}

function deploymentType(root: ConfigNode): DeploymentType | undefined {
  const node = nodeAt(root, ['deployment', 'type']);
  const found = node?.kind === 'scalar' ? node.value : undefined;
  return deploymentTypes.find((type) => type === found);
}

function unknownType(root: ConfigNode): ConfigProblem {
  const node = nodeAt(root, ['deployment', 'type']);
  const shown =
    node === undefined ? 'nothing' : node.kind === 'scalar' ? `\`${String(node.value)}\`` : `a ${node.kind}`;
  const place = placeOf(placeOfNode(node ?? nearestNodeAt(root, ['deployment', 'type'])));
  return {
    ...place,
    path: 'deployment.type',
    message: `expected one of ${deploymentTypes.map((type) => `\`${type}\``).join(', ')}, found ${shown}`,
    ...(node === undefined
      ? { hint: 'choose one in the `defaults` list at the top of the file: `- deployment: vllm`' }
      : {}),
  };
}

/** The tree that issues refer to, and a list to which unknown keys are added. */
interface IssueContext {
  readonly root: ConfigNode;
  readonly misspeltKeys: MisspeltKey[];
  readonly unknownKeys: ConfigProblem[];
}

function toProblems(issue: z.core.$ZodIssue, around: IssueContext): ConfigProblem[] {
  const path = issue.path.map((key) => (typeof key === 'number' ? key : String(key)));
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey({ key, path, message: issue.message }, around));
  if (issue.code === 'invalid_union') return unionProblems(issue, around);
  const hint =
    issue.code === 'custom' && typeof issue.params?.['hint'] === 'string' ? { hint: issue.params['hint'] } : {};
  return [{ ...placeAt(around.root, path), path: path.join('.'), message: issue.message, ...hint }];
}

/** Unions in this schema are always "null or T": only the issues about T matter. */
function unionProblems(issue: z.core.$ZodIssueInvalidUnion, around: IssueContext): ConfigProblem[] {
  const branch = issue.errors.at(-1) ?? [];
  return branch.flatMap((inner) => toProblems({ ...inner, path: [...issue.path, ...inner.path] }, around));
}

function unknownKey(
  { key, path, message }: { key: string; path: (string | number)[]; message: string },
  { root, misspeltKeys, unknownKeys }: IssueContext,
): ConfigProblem {
  const info = sectionOf(message);
  const full = [...path, key];
  const where = path.length === 0 ? 'the config' : `\`${path.join('.')}\``;
  const advice = adviceFor(root, full, info);
  const places = advice === undefined ? placesFor(key, path, deploymentType(root) ?? 'none') : [];
  const near = places.length > 0 ? [] : nearestNames(key, info?.allowed ?? []);
  const candidates = [...places.map((place) => [...place, key]), ...near.map((name) => [...path, name])];
  if (advice === undefined) misspeltKeys.push({ written: full, candidates });
  const elsewhere =
    places.length > 0
      ? `belongs under ${places.map((place) => `\`${place.join('.')}\``).join(' or ')}: ${places.map((place) => [...place, key].join('.')).join(', ')}`
      : undefined;
  const meant = near.length > 0 ? `did you mean ${near.map((name) => `\`${name}\``).join(' or ')}?` : undefined;
  const allowed = `allowed: ${(info?.allowed ?? []).join(', ')}`;
  const hint =
    advice ?? elsewhere ?? meant ?? (info?.otherwise === undefined ? allowed : `${info.otherwise}; ${allowed}`);
  const text = advice === undefined ? `${where} has no key \`${key}\`` : 'has no effect here';
  const problem = { ...placeAt(root, full), path: full.join('.'), message: text, hint };
  unknownKeys.push(problem);
  return problem;
}

function adviceFor(root: ConfigNode, path: Path, info: SectionInfo | undefined): string | undefined {
  const key = String(path.at(-1));
  const known = info !== undefined && Object.hasOwn(info.advice, key) ? info.advice[key] : undefined;
  const places = path.join('.') === 'execution.env_vars' ? placesOfOldVariables(root) : undefined;
  if (key === 'config' && known !== undefined && !isEvaluatorConfig(nodeAt(root, path))) return undefined;
  if (known !== undefined) return places === undefined ? known : `${known}; so here: ${places}`;
  const foreign = foreignKey(path);
  if (foreign === undefined) return undefined;
  const use = foreign.equivalent ?? foreign.instead;
  return use === undefined ? `only ${toolNames[foreign.of]} uses it` : `use \`${use}\``;
}

/** Whether the value of `config` is the whole run config, as older configs call it, or only the part that is `config` in it. */
const isEvaluatorConfig = (node: ConfigNode | undefined): boolean =>
  node?.kind !== 'map' || node.entries.has('config') || node.entries.has('target');

const toolNames: Readonly<Record<ForeignTool, string>> = {
  local: 'the local executor',
  slurm: 'the Slurm executor',
  export: "the launcher's export",
};

const placeAt = (root: ConfigNode, path: Path) => placeOf(placeOfNode(nearestNodeAt(root, path)));
