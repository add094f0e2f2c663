import type { RunPlan } from '../contract/plan';
import { UsageFault } from '../support/usage-fault';
import { CredentialsError } from '../lepton/lepton-error';
import type { LeptonClient, PlatformAccess } from '../lepton/types';
import { checkTokenExpiry, checkWorkspace } from './check-credentials';
import { checkExposure } from './check-exposure';
import { checkImages } from './check-images';
import type { LocalCheck } from './check-local';
import { checkPlacement } from './check-placement';
import { checkReach } from './check-reach';
import { checkMounts } from './check-storage';
import type { Finding } from './finding';
import { needsOf } from './needs';
import { askWorkspace } from './workspace-answers';
import { checkNodeGroups, checkSecrets, checkShapes } from './workspace-checks';

/** The run needs something that its workspace lacks, and would fail after its endpoints were created. Exit code 2. */
export class RunNotAdmitted extends UsageFault {
  override readonly name = 'RunNotAdmitted';
}

/** Milliseconds after which the run is admitted without an answer. */
const answerWithinMs = 3_000;

/**
 * Runs the quick checks of the doctor before anything is created: the token's expiry; whether the workspace is active and has
 * the node groups, secrets, shapes, nodes, reservations and data sources that the plan names; whether the names of images and volumes are valid. All requests
 * are sent at the same time, and a missing answer delays nothing. Returns warnings. Throws `RunNotAdmitted` with everything
 * that is missing, or `CredentialsError` for an expired token.
 */
export async function admitRun(request: {
  readonly plan: RunPlan;
  readonly client: LeptonClient;
  readonly access: PlatformAccess;
  /** Expiry of the token according to the login record. */
  readonly expiresAt: Date | undefined;
  /** Whether the platform refuses shapes that it doesn't list, and pulls images; the local one does neither. */
  readonly binding: boolean;
}): Promise<readonly string[]> {
  const { plan, client, access, expiresAt, binding } = request;
  const wanted = needsOf(plan);
  const shapes = wanted.shapes.map(({ name }) => name);
  const asking = askWorkspace(client, { timeoutMs: answerWithinMs, shapes });
  // The platform's clock counts, which its answers tell.
  const now = asking.then(() => new Date(client.clock.now()));
  const [expiry, answers] = await Promise.all([
    checkTokenExpiry(access, { recorded: expiresAt, now, timeoutMs: answerWithinMs }),
    asking,
  ]);
  const expired = expiry.find(({ level }) => level === 'FAIL');
  if (expired) throw new CredentialsError(`${expired.message} Nothing was created.`);
  const missing = [
    ...checkNodeGroups(wanted, answers),
    ...checkSecrets(wanted, answers, { binding }),
    ...checkShapes(wanted, answers, { binding }),
    ...(binding ? [...checkImages(wanted, answers.info), ...checkMounts(wanted, answers)] : []),
    ...(binding ? await checkPlacement(client, plan, { ...answers, timeoutMs: answerWithinMs }) : []),
  ].filter(({ level }) => level === 'FAIL');
  if (missing.length > 0)
    throw new RunNotAdmitted(refusal('The workspace does not have what the config names', missing));
  const exposed = [...checkExposure(plan, access), ...checkReach(plan, access)];
  const warnings = [...expiry, checkWorkspace(access, answers.info), ...exposed].filter(
    ({ level }) => level === 'warn',
  );
  return warnings.map(({ message }) => message);
}

/**
 * Does the same for the local platform, without any request and therefore also in a dry run: whether it can serve the model and
 * has the data of the tasks. Returns warnings. Throws `RunNotAdmitted`.
 */
export async function admitLocally(check: LocalCheck): Promise<readonly string[]> {
  // A run on Lepton loads nothing of the local platform.
  const { checkLocalRun } = await import('./check-local.js');
  const findings = await checkLocalRun(check);
  const missing = findings.filter(({ level }) => level === 'FAIL');
  if (missing.length > 0) throw new RunNotAdmitted(refusal("This machine can't run what the config names", missing));
  return findings.filter(({ level }) => level === 'warn').map(({ about, message }) => `${about}: ${message}`);
}

function refusal(problem: string, missing: readonly Finding[]): string {
  const lines = missing.map(({ about, message, advice }) => `  - ${about}: ${message}\n    ${advice}`);
  return `${problem}; nothing was created.\n${lines.join('\n')}`;
}
