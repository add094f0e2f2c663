import { messageOf } from '../support/error-message';
import { databaseAdvice } from '../stack/database-advice';
import { databaseFault, scheduleFault } from '../stack/database';
import { stackStatus, type ServiceStatus } from '../stack/status';
import { findTemporal } from '../stack/stack';
import { encryptionOf } from '../temporal/encryption/data-converter';
import { keyFileVariable } from '../temporal/encryption/key-file';
import type { HomePaths } from '../home/paths';
import { connectClient } from '../temporal/connect';
import { InfrastructureError } from '../temporal/infrastructure-error';
import { isRunning, readRecord } from '../stack/record';
import { presentServerBinary } from '../stack/server-binary';
import { temporalTarget, type Env } from '../temporal/target';
import { checkPorts } from './check-ports';
import { fail, ok, warn, type Finding } from './finding';

/** Milliseconds within which a running server must answer. */
const answerWithinMs = 5_000;

/** Checks whether Temporal answers, or can be started. Starts and fetches nothing. */
export async function checkTemporal({
  home,
  env,
}: {
  readonly home: HomePaths;
  readonly env: Env;
}): Promise<Finding[]> {
  const about = 'temporal';
  const { broken, findings } = checkKey(env);
  if (broken) return findings;
  const reach = await findTemporal(home, env).catch(unusableProfile);
  if (reach instanceof InfrastructureError)
    return [
      ...findings,
      fail(about, reach.message, 'correct the profile, or unset TEMPORAL_CONFIG_FILE and TEMPORAL_PROFILE'),
    ];
  const damage = reach?.isEmbedded === false ? undefined : await databaseFault(home);
  if (damage !== undefined) {
    const [what = '', ...rest] = (await databaseAdvice(home, damage)).split('\n');
    return [...findings, fail(about, what, rest.join(' ') || 'then: evalsaga up')];
  }
  const old = reach?.isEmbedded === false ? [] : await checkSchema({ home, env });
  if (!reach) return [...findings, await checkServerBinary({ home, env }), ...old, ...(await checkPorts())];
  const isCluster = temporalTarget(env).kind === 'cluster';
  const where = `${isCluster ? 'cluster' : 'embedded server'} at ${reach.address}, namespace ${reach.namespace}`;
  try {
    const client = await connectClient({ ...reach, timeoutMs: answerWithinMs });
    await client.connection.close();
  } catch (error) {
    const advice = isCluster
      ? 'check TEMPORAL_ADDRESS (or your temporal.toml profile), or unset it to use the embedded server'
      : 'restart it: evalsaga down --force, then evalsaga up';
    return [fail(about, `${where}: ${messageOf(error)}`, advice)];
  }
  return [
    ...findings,
    ok(about, `${where} answers`),
    ...old,
    ...(isCluster ? [] : deadServices(await stackStatus(home))),
  ];
}

/** Checks the encryption key. With a broken key nothing in Temporal can be read. */
function checkKey(env: Env): { readonly broken: boolean; readonly findings: Finding[] } {
  const about = 'encryption';
  try {
    const { ring } = encryptionOf(env);
    const id = ring.newest?.id;
    return {
      broken: false,
      findings: id === undefined ? [] : [ok(about, `payloads are encrypted with key ${id}`)],
    };
  } catch (error) {
    return { broken: true, findings: [fail(about, messageOf(error), `correct the file, or unset ${keyFileVariable}`)] };
  }
}

/** Warns of a database with which the server that has it open, or would open it, can't keep schedules. */
async function checkSchema({ home, env }: { readonly home: HomePaths; readonly env: Env }): Promise<Finding[]> {
  const record = await readRecord(home, 'temporal');
  const binary = isRunning(record) ? record.setup : await presentServerBinary({ home, env }).catch(() => undefined);
  const fault = binary && (await scheduleFault(home.temporalDatabase, binary));
  if (!fault) return [];
  return [
    warn(
      'temporal',
      `the database ${home.temporalDatabase} ${fault}: runs work, but endpoints of terminated runs are not swept by themselves`,
      'run evalsaga sweep after terminating a run; when no run is open, move the database away, or set TEMPORAL_CLI_PATH to the version of `temporal` that made it',
    ),
  ];
}

async function checkServerBinary(options: { readonly home: HomePaths; readonly env: Env }): Promise<Finding> {
  const about = 'temporal';
  try {
    const file = await presentServerBinary(options);
    if (file !== undefined) return ok(about, `is not running; it will be started from ${file}`);
    return warn(
      about,
      'no server is installed on this machine yet',
      'the first start downloads it; offline, put `temporal` on PATH, or set TEMPORAL_CLI_PATH or TEMPORAL_ADDRESS',
    );
  } catch (error) {
    return fail(about, messageOf(error), 'set TEMPORAL_CLI_PATH to a `temporal` command, or unset it');
  }
}

/** Returns a warning for each background process that has died. Pure. */
export function deadServices(services: readonly ServiceStatus[]): Finding[] {
  return services
    .filter(({ state }) => state === 'died')
    .map(({ name, log }) =>
      warn(
        'background',
        `the process "${name}" has died; its log: ${log}`,
        'the next start, or evalsaga up, restarts it',
      ),
    );
}

function unusableProfile(error: unknown): InfrastructureError {
  if (error instanceof InfrastructureError) return error;
  throw error;
}
