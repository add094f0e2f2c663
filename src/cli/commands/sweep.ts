import { audit } from '../../home/audit-file';
import { secretsOfRun } from '../../secrets/secret-values';
import { loadAccess } from '../../lepton/access-store';
import { createLeptonClient } from '../../lepton/client';
import { choosePlatform, type PlatformWish } from '../../stack/choose-platform';
import { temporalAheadMs } from '../../stack/pollers';
import { ensureStack } from '../../stack/stack';
import { defaultGraceSeconds, sweep as sweepOnce } from '../../cleanup/sweep';
import { originOf } from '../../temporal/origin';
import { temporalTarget } from '../../temporal/target';
import { flag, textOption, type CommandBody } from '../command';
import { concealAllKnown } from '../conceal';
import { wantsJson } from '../config-input';
import { UsageError } from '../usage-error';
import { done } from '../exit-code';
import { patienceOf } from '../patience';
import { asCalled } from '../program-name';

/** `sweep`: removes what outlived its task on one platform. The schedule does the same every ten minutes. */
export const sweep: CommandBody = async (input, context) => {
  const { home, env, output } = context;
  await concealAllKnown(context);
  const grace = graceSeconds(textOption(input, 'grace'));
  const { ref, statement } = choosePlatform({ wish: (textOption(input, 'platform') ?? 'auto') as PlatformWish, env });
  output.note(`platform: ${statement}`);
  const stack = await ensureStack({
    home,
    env,
    localPlatform: ref.kind === 'local',
    report: (line) => output.note(line),
  });
  const embedded = temporalTarget(env).kind === 'embedded';
  const dryRun = flag(input, 'dryRun');
  const access = await loadAccess(home, ref, { env });
  output.conceal([access.token]);
  const aheadMs = await temporalAheadMs(stack.client, stack.taskQueue);
  const report = await sweepOnce({
    temporal: stack.client,
    temporalNow: () => Date.now() + aheadMs,
    platform: createLeptonClient(access, { retry: patienceOf(output) }),
    secretsOf: (invocation) => secretsOfRun(home, { invocation, env, token: access.token }),
    ref,
    home,
    origin: await originOf({
      connection: stack.client.connection,
      namespace: stack.client.options.namespace,
      home,
      embedded,
    }),
    graceSeconds: grace,
    environment: env,
    dryRun,
  });
  if (!dryRun) await audit(home, env, { action: 'sweep', removed: report.removed.length });
  if (wantsJson(input)) output.json(report);
  else {
    const verb = dryRun ? 'would remove' : 'removed';
    const lines = report.removed.map(
      ({ kind, name, invocation, log, logLost }) =>
        `${verb} ${kind} ${name} of run ${invocation}${log === undefined ? '' : `; its log: ${log}`}${logLost === undefined ? '' : `; its log could not be saved: ${logLost}`}`,
    );
    const failures = report.failed.map(({ kind, name, reason }) => `could not remove ${kind} ${name}: ${reason}`);
    const stranded = (report.stranded ?? []).map(
      ({ path, invocation, reason, command }) =>
        `left storage ${path} of run ${invocation}: ${reason}; from here: ${asCalled(command, env)} --output-dir FOLDER`,
    );
    output.answer(
      [...lines, ...failures, ...stranded, `${verb} ${report.removed.length}, spared ${report.spared}`].join('\n'),
    );
  }
  return report.failed.length === 0 ? done : { kind: 'run', verdict: 'teardown incomplete' };
};

function graceSeconds(text: string | undefined): number {
  if (text === undefined) return defaultGraceSeconds;
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0)
    throw new UsageError(`--grace wants a number of seconds, at least 0, got "${text}".`);
  return seconds;
}
