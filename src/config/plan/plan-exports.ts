/** Plans the exports at a run's end, and refuses those that can't work before anything costs money. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import {
  exportVariables,
  isFileTarget,
  type ExportPlan,
  type ExportRequest,
  type ExportTarget,
  type GsheetsSettings,
} from '../../contract/export';
import type { EnvEntry } from '../../contract/plan';
import { expandTilde } from '../../support/home-folder';
import type { Environment } from '../environment';
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

type Settings = ResolvedConfig['export'];

interface ExportSurroundings {
  readonly env: Environment;
  readonly cwd: string;
  /** Whether results go to a store, so that any worker may export. */
  readonly hasStore: boolean;
  readonly report: ProblemReport;
}

/** Returns the exports of `execution.auto_export.destinations`, each once. */
export function planExports(config: ResolvedConfig, around: ExportSurroundings): readonly ExportPlan[] {
  const plans = config.execution.auto_export.destinations.map((name): ExportPlan => {
    const request = requestFor(name, config.export);
    const envs = variablesOf(request.to, config.export.env_vars, around);
    const placed = withPlaces(withUriVariable(request, envs), { name, ...around });
    checkUsable(placed, name, around);
    return placed;
  });
  return [...new Map(plans.map((plan) => [plan.to, plan])).values()];
}

/** Returns the target of a destination with its settings. Pure. */
export function requestFor(name: ExportTarget | 'local', settings: Settings): ExportRequest {
  switch (name) {
    case 'mlflow':
      return { to: name, settings: settings.mlflow };
    case 'wandb':
      return { to: name, settings: { ...settings.wandb, project: settings.wandb.project ?? '' } };
    case 'gsheets': {
      // Without the keys that are only known to be refused.
      const own = Object.entries(settings.gsheets).filter(([key]) => key !== 'oauth_file');
      return { to: name, settings: Object.fromEntries(own) as unknown as GsheetsSettings };
    }
    case 'local': {
      const { format, ...own } = settings.local;
      return { to: format, settings: own };
    }
    case 'json':
    case 'csv':
      return { to: name, settings: settings[name] };
    case 'nel':
    case 'eee':
      return { to: name, settings: { ...settings[name], output_filename: null } };
  }
}

/** Returns the exporter's variables: those of the config, and those that this host has under their own names. */
function variablesOf(to: ExportTarget, given: Settings['env_vars'], { env, report }: ExportSurroundings): EnvEntry[] {
  const known = exportVariables[to];
  const own = Object.entries(given).flatMap(([name, source]): EnvEntry[] => {
    if (source.kind === 'literal') return [{ name, value: source.value }];
    if (source.kind === 'secret' && source.secret.kind === 'host') return [{ name, secret: source.secret }];
    report.add(
      `export.env_vars.${name}`,
      'exports are made by workers, which can read neither secrets of the workspace nor variables of containers',
      `take it from a variable of this host: ${name}: host:${name}`,
    );
    return [];
  });
  const listed = new Set(own.map(({ name }) => name));
  const fromHost = known.filter((name) => !listed.has(name) && (env[name] ?? '') !== '');
  return [
    ...own.filter(({ name }) => known.includes(name)),
    ...fromHost.map((name): EnvEntry => ({ name, secret: { kind: 'host', name } })),
  ];
}

/** `tracking_uri` may name a variable of this host. */
function withUriVariable(request: ExportRequest, envs: readonly EnvEntry[]): ExportPlan {
  if (request.to !== 'mlflow') return { ...request, envs };
  const named = /^(?:host:)?([A-Za-z_][A-Za-z0-9_]*)$/.exec(request.settings.tracking_uri ?? '')?.[1];
  if (named === undefined) return { ...request, envs };
  const uri: EnvEntry = { name: 'MLFLOW_TRACKING_URI', secret: { kind: 'host', name: named } };
  const others = envs.filter(({ name }) => name !== uri.name);
  return { to: 'mlflow', settings: { ...request.settings, tracking_uri: null }, envs: [...others, uri] };
}

/** Makes folders absolute. */
function withPlaces(
  plan: ExportPlan,
  { name, cwd, hasStore, report }: ExportSurroundings & { readonly name: string },
): ExportPlan {
  const absolute = (folder: string): string => path.resolve(cwd, expandTilde(folder));
  if (plan.to === 'gsheets') {
    const file = plan.settings.service_account_file ?? usualAccountFile(plan);
    return { ...plan, settings: { ...plan.settings, service_account_file: file === null ? null : absolute(file) } };
  }
  if (!isFilePlan(plan) || plan.settings.output_dir === null) return plan;
  if (hasStore)
    report.add(
      `export.${name}.output_dir`,
      'the run’s results go to a store (execution.results_store), and any worker may export them: a folder of this machine is no place for them',
      'leave it out: the files then go to exports/ in the run’s own folder of the store',
    );
  return { ...plan, settings: { ...plan.settings, output_dir: absolute(plan.settings.output_dir) } };
}

type FilePlan = Extract<ExportPlan, { readonly settings: { readonly output_dir: string | null } }>;

const isFilePlan = (plan: ExportPlan): plan is FilePlan => isFileTarget(plan.to);

/** Where gspread, which the launcher uses, has its key file. */
function usualAccountFile({ envs }: ExportPlan): string | null {
  const file = path.join(homedir(), '.config', 'gspread', 'service_account.json');
  return envs.length === 0 && existsSync(file) ? file : null;
}

function checkUsable(plan: ExportPlan, name: string, { report }: ExportSurroundings): void {
  const has = (variable: string): boolean => plan.envs.some((entry) => entry.name === variable);
  const at = `export.${name}`;
  switch (plan.to) {
    case 'mlflow': {
      const { tracking_uri: uri } = plan.settings;
      if (uri === null && !has('MLFLOW_TRACKING_URI'))
        report.add(`${at}.tracking_uri`, 'no tracking server is named', 'set it, or the variable MLFLOW_TRACKING_URI');
      if (uri !== null && !/^https?:\/\/./.test(uri))
        report.add(`${at}.tracking_uri`, 'only a tracking server can be exported to', 'expected http://… or https://…');
      return;
    }
    case 'wandb':
      if (plan.settings.project === '') report.add(`${at}.project`, 'a W&B run needs a project', `set ${at}.project`);
      // A login of the client on this machine is as good, where the worker is here, too.
      if (!has('WANDB_API_KEY') && !has('WANDB_MODE') && !existsSync(path.join(homedir(), '.netrc')))
        report.add(`${at}`, 'W&B needs a key', 'set the variable WANDB_API_KEY, or WANDB_MODE=offline');
      return;
    case 'gsheets': {
      const { service_account_file: file } = plan.settings;
      if (file === null && plan.envs.length === 0)
        report.add(
          at,
          'Google Sheets needs the key of a service account',
          `set ${at}.service_account_file, or the variable GSHEETS_SERVICE_ACCOUNT`,
        );
      if (file !== null && !existsSync(file))
        report.add(
          `${at}.service_account_file`,
          `there is no file ${file}`,
          'give the path of the key file on this machine',
        );
      return;
    }
    case 'json':
    case 'csv':
    case 'nel':
    case 'eee':
      return;
  }
}
