import { CredentialsError } from '../lepton/lepton-error';
import { askTokenExpiry, checkExpiry } from '../lepton/token-expiry';
import type { PlatformAccess, WorkspaceInfo } from '../lepton/types';
import { answerOf, fail, ok, warn, type Answer, type Finding } from './finding';

/** States in which a workspace accepts work. */
const workingStates = ['normal', 'unknown', ''];

/** Checks which workspace it is, and whether it accepts the token. Pure. */
export function checkWorkspace(access: PlatformAccess, info: Answer<WorkspaceInfo>): Finding {
  const where = `workspace ${access.workspace} at ${access.url}`;
  if (info.kind === 'unknown') return fail('credentials', `${where}: ${info.reason}`, info.advice);
  const { workspace_name: name, workspace_state: state, evalsaga_runtime: runtime } = info.value;
  if (!workingStates.includes(state)) {
    return warn(
      'credentials',
      `${where} is ${state}: nothing starts there until that changes`,
      "ask the workspace's admin",
    );
  }
  const called = name === '' || name === access.workspace ? '' : ` ("${name}")`;
  const kind = runtime === 'simulated' ? '; it is a simulated one, whose scores are made up' : '';
  return ok('credentials', `${where}${called}${access.source ? `, from ${access.source}` : ''}${kind}`);
}

/** Checks when the token expires, from the login record and from the workspace. Rejects only if `now` does. */
export async function checkTokenExpiry(
  access: PlatformAccess,
  options: { readonly recorded: Date | undefined; readonly now: Promise<Date>; readonly timeoutMs: number },
): Promise<Finding[]> {
  const asking = answerOf(askTokenExpiry(access, { timeoutMs: options.timeoutMs }));
  const [asked, now] = await Promise.all([asking, options.now]);
  const answer = asked.kind === 'known' ? asked.value : undefined;
  const expiry = {
    expiresAt: answer ?? options.recorded,
    source: access.source ?? 'an unknown source',
    now,
  };
  return [expiryFinding(expiry)];
}

const newToken = "issue a new one in the workspace's settings, then: lep login -c <workspace>:<token>";

/** Turns the expiry into a finding. Pure. */
export function expiryFinding(expiry: Parameters<typeof checkExpiry>[0]): Finding {
  const about = 'token';
  try {
    const warning = checkExpiry(expiry);
    if (warning !== undefined) return warn(about, warning, newToken);
    if (expiry.expiresAt === undefined) return ok(about, 'its expiry is not known');
    return ok(about, `valid until ${expiry.expiresAt.toISOString()}`);
  } catch (error) {
    if (!(error instanceof CredentialsError)) throw error;
    return fail(about, error.message, newToken);
  }
}
