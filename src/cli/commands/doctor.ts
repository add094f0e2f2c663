import { loadConfig, planRun, type LoadedConfig } from '../../config';
import { ConfigError, renderProblem } from '../../config/yaml/problems';
import type { PlatformRef, RunPlan } from '../../contract/plan';
import { examine } from '../../doctor/doctor';
import { findingText, misfit, ok, warn, type Finding } from '../../doctor/finding';
import { harmlessText } from '../../support/terminal-text';
import type { Style } from '../render/style';
import { CredentialsError } from '../../lepton/lepton-error';
import { choosePlatform, type PlatformWish } from '../../stack/choose-platform';
import type { Env } from '../../temporal/target';
import { textOption, type CommandBody, type CommandContext, type CommandInput } from '../command';
import { configRequest, wantsJson } from '../config-input';
import { done, type CommandOutcome } from '../exit-code';

/** `doctor [CONFIG]`: prints a line per check. Exits 0 without a FAIL; 2 if all are caused by the config, otherwise 3. */
export const doctor: CommandBody = async (input, context) => {
  const { home, output } = context;
  const config = await readConfig(input, context);
  const wish = (textOption(input, 'platform') ?? 'auto') as PlatformWish;
  const found = await examine({ home, wish, env: config.env, plan: config.plan, secrets: config.secrets });
  const findings = [...config.findings, ...found];
  if (wantsJson(input)) output.json(documentOf(findings));
  else for (const finding of findings) output.answer(harmlessText(painted(finding, output.answerStyle)));
  const outcome = outcomeOf(findings);
  if (!wantsJson(input)) output.note(summary(findings));
  return outcome;
};

interface ReadConfig {
  readonly findings: readonly Finding[];
  readonly plan: RunPlan | undefined;
  readonly env: Env;
  readonly secrets: Readonly<Record<string, string>>;
}

/** Reads the config. Its problems become findings, so that the other checks still run. */
async function readConfig(input: CommandInput, context: CommandContext): Promise<ReadConfig> {
  const { env } = context;
  const isNamed = input.arguments[0] !== undefined || textOption(input, 'configName') !== undefined;
  if (!isNamed) return { findings: [], plan: undefined, env, secrets: {} };
  let loaded: LoadedConfig | undefined;
  try {
    loaded = await loadConfig(configRequest(input, context));
    const { plan, hostSecrets } = planRun(loaded, planContext(context, platformOf(input, loaded.env)));
    const secrets = Object.fromEntries(hostSecrets.map((name) => [name, loaded?.env[name] ?? '']));
    const tasks = plan.tasks.length === 1 ? '1 task' : `${plan.tasks.length} tasks`;
    const warnings = loaded.warnings.map(({ hint, ...problem }) => warn('config', renderProblem(problem), hint ?? ''));
    const read = ok('config', `${loaded.file}: ${tasks} for ${plan.model}`);
    return { findings: [read, ...warnings], plan, env: loaded.env, secrets };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const findings = error.problems.map(({ hint, ...problem }) => misfit('config', renderProblem(problem), hint ?? ''));
    return { findings, plan: undefined, env: loaded?.env ?? env, secrets: {} };
  }
}

/** Returns the platform that the run would use. Without usable credentials, which are a finding of their own, any will do. */
function platformOf(input: CommandInput, env: Env): PlatformRef {
  try {
    return choosePlatform({ wish: (textOption(input, 'platform') ?? 'auto') as PlatformWish, env }).ref;
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    return { kind: 'local', workspace: 'local' };
  }
}

/** Context for a plan that is only checked and never started, so its id doesn't matter. */
const planContext = ({ commandLine, cwd }: CommandContext, platform: PlatformRef) => ({
  invocation: '0'.repeat(16),
  platform,
  owner: 'doctor',
  command: commandLine,
  cwd,
});

function painted(finding: Finding, style: Style): string {
  const text = findingText(finding);
  const paint = { ok: style.good, warn: style.warn, FAIL: style.bad }[finding.level];
  return paint(text.slice(0, 4)) + text.slice(4);
}

const documentOf = (findings: readonly Finding[]): object => ({
  ok: findings.every(({ level }) => level !== 'FAIL'),
  checks: findings.map(({ about, level, message, advice }) => ({ about, level, message, advice: advice || null })),
});

function outcomeOf(findings: readonly Finding[]): CommandOutcome {
  const failures = findings.filter(({ level }) => level === 'FAIL');
  if (failures.length === 0) return done;
  const isConfigs = failures.every(({ blame }) => blame === 'config');
  return { kind: 'faults', blame: isConfigs ? 'config' : 'surroundings' };
}

function summary(findings: readonly Finding[]): string {
  const count = (level: Finding['level']): number => findings.filter((finding) => finding.level === level).length;
  const failures = count('FAIL');
  const warnings = count('warn');
  const words = [
    ...(failures > 0 ? [`${failures} of ${findings.length} checks failed`] : []),
    ...(warnings > 0 ? [`${warnings} warning${warnings === 1 ? '' : 's'}`] : []),
  ];
  return words.length === 0 ? 'all is well' : words.join(', ');
}
