import type { RunPlan } from '../contract/plan';
import type { HomePaths } from '../home/paths';
import { loadPlatformAccess } from '../lepton/stored-credentials';
import { describeClockOffset } from '../lepton/server-clock';
import { createLeptonClient } from '../lepton/client';
import { CredentialsError } from '../lepton/lepton-error';
import type { LeptonClient, PlatformAccess } from '../lepton/types';
import { choosePlatform, type PlatformChoice, type PlatformWish } from '../stack/choose-platform';
import { stackStatus } from '../stack/status';
import type { Env } from '../temporal/target';
import { checkHomeFolder } from './check-home';
import { checkOutput } from './check-output';
import { checkTokenExpiry, checkWorkspace } from './check-credentials';
import { checkEndpoint } from './check-endpoint';
import { checkExposure } from './check-exposure';
import { checkImages } from './check-images';
import { checkLocalRun } from './check-local';
import { checkMachine } from './check-machine';
import { checkQuota } from './check-quota';
import { checkPlacement } from './check-placement';
import { checkReach } from './check-reach';
import { checkMounts, checkStorage } from './check-storage';
import { checkTemporal } from './check-temporal';
import { fail, ok, warn, type Finding } from './finding';
import { needsOf } from './needs';
import { askWorkspace } from './workspace-answers';
import { checkNodeGroups, checkSecrets, checkShapes } from './workspace-checks';

export interface DoctorRequest {
  readonly home: HomePaths;
  readonly env: Env;
  readonly wish: PlatformWish;
  /** `undefined`: only what every run needs is checked. */
  readonly plan: RunPlan | undefined;
  /** Values of the host variables that the plan references. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Milliseconds that one request may take. */
const timeoutMs = 15_000;
/** Milliseconds for the requests to an existing endpoint: the first one may load the model. */
const endpointMs = 90_000;

/** Checks everything that a run would need. Changes, starts and fetches nothing; never rejects because of a finding. */
export async function examine(request: DoctorRequest): Promise<Finding[]> {
  const choice = platformChoice(request);
  const [home, temporal, platform, endpoint, output] = await Promise.all([
    checkHomeFolder(request.home),
    checkTemporal(request),
    'level' in choice ? [choice] : examinePlatform(choice, request),
    request.plan === undefined
      ? []
      : checkEndpoint(request.plan, { secrets: request.secrets, signal: AbortSignal.timeout(endpointMs) }),
    request.plan === undefined ? [] : checkOutput(request.plan).then((finding) => [finding]),
  ]);
  return [home, ...temporal, ...platform, ...endpoint, ...output];
}

function platformChoice({ wish, env }: DoctorRequest): PlatformChoice | Finding {
  try {
    return choosePlatform({ wish, env });
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    return fail('credentials', error.message, 'or run on this machine, without credentials: --platform local');
  }
}

async function examinePlatform(choice: PlatformChoice, request: DoctorRequest): Promise<Finding[]> {
  const chosen = ok('platform', choice.statement);
  if (choice.access) return [chosen, ...(await examineLepton(choice, choice.access, request))];
  const local = request.plan ? await checkLocalRun({ plan: request.plan, home: request.home }) : [];
  const machine = [...(await checkMachine(request)), ...local];
  const running = (await stackStatus(request.home)).find(({ name }) => name === 'platform')?.state === 'running';
  const access = running ? await loadPlatformAccess(request.home, choice.ref) : undefined;
  if (!access) return [chosen, ...machine, ok('local platform', 'is not running; the first run starts it')];
  const client = createLeptonClient(access, { timeoutMs });
  return [chosen, ...machine, ...(await examineWorkspace(client, { request, access, binding: false }))];
}

async function examineLepton(
  choice: PlatformChoice,
  access: PlatformAccess,
  request: DoctorRequest,
): Promise<Finding[]> {
  const client = createLeptonClient(access, { timeoutMs });
  const examining = examineWorkspace(client, { request, access, binding: true });
  // The platform's clock counts, which its answers tell.
  const now = examining.then(() => new Date(client.clock.now()));
  const [expiry, workspace] = await Promise.all([
    checkTokenExpiry(access, { recorded: choice.expiresAt, now, timeoutMs }),
    examining,
  ]);
  const [first, ...rest] = workspace;
  // If the workspace refuses the token, only a problem with its expiry is of interest.
  const shownExpiry = first?.level === 'FAIL' ? expiry.filter(({ level }) => level !== 'ok') : expiry;
  return [...(first ? [first] : []), ...shownExpiry, ...rest];
}

/** Checks a workspace; the first finding is about the workspace itself. */
async function examineWorkspace(
  client: LeptonClient,
  { request, access, binding }: { request: DoctorRequest; access: PlatformAccess; binding: boolean },
): Promise<Finding[]> {
  const wanted = request.plan && needsOf(request.plan);
  const shapes = wanted?.shapes.map(({ name }) => name) ?? [];
  const [answers, storage] = await Promise.all([
    askWorkspace(client, { timeoutMs, shapes }),
    checkStorage(client, { timeoutMs }),
  ]);
  const clock = checkClock(client.clock.aheadMs);
  const workspace = checkWorkspace(access, answers.info);
  // If the workspace doesn't answer, one finding says why; the others would repeat it.
  if (workspace.level === 'FAIL') return [workspace];
  if (wanted === undefined) return [workspace, ...clock, ...storage];
  return [
    workspace,
    ...clock,
    ...checkShapes(wanted, answers, { binding }),
    ...checkNodeGroups(wanted, answers),
    ...(binding && request.plan ? await checkPlacement(client, request.plan, { ...answers, timeoutMs }) : []),
    ...(binding ? checkQuota(wanted, answers.info) : []),
    ...checkSecrets(wanted, answers, { binding }),
    ...(binding ? checkImages(wanted, answers.info) : []),
    ...(request.plan ? [...checkExposure(request.plan, access), ...checkReach(request.plan, access)] : []),
    ...checkMounts(wanted, binding ? answers : { nodeGroups: { kind: 'unknown', reason: '', advice: '' } }),
    ...storage,
  ];
}

/** Pure. */
function checkClock(platformAheadMs: number): Finding[] {
  const difference = describeClockOffset(platformAheadMs);
  if (difference === undefined) return [];
  return [
    warn(
      'clock',
      `this machine's clock is ${difference} the platform's`,
      'set it (NTP): times and ages are shown wrong by that amount',
    ),
  ];
}
