import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { expandTilde } from '../../support/home-folder';
import type { ResolvedConfig } from '../schema/config';
import type { ProblemReport } from './problem-report';

/** Names the results store of runs whose config doesn't. */
export const resultsStoreVariable = 'EVALSAGA_RESULTS_STORE';

const key = 'execution.results_store';

interface StoreContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly report: ProblemReport;
}

/** Returns the results store as a plan names it; `undefined`: none. Reports a malformed one. */
export function resultsStore({ execution }: ResolvedConfig, { env, report }: StoreContext): string | undefined {
  const fromEnv = env[resultsStoreVariable] || undefined;
  const wanted = execution.results_store ?? fromEnv;
  if (wanted === undefined) return undefined;
  const from = execution.results_store === null && fromEnv !== undefined ? ` (from ${resultsStoreVariable})` : '';
  if (wanted.startsWith('s3://')) return bucketPlace(wanted, from, report);
  const folder = expandTilde(wanted);
  if (path.isAbsolute(folder)) return pathToFileURL(path.resolve(folder)).href.replace(/\/+$/, '');
  report.add(key, `expected s3://BUCKET/PREFIX or an absolute folder, found "${wanted}"${from}`);
  return undefined;
}

function bucketPlace(wanted: string, from: string, report: ProblemReport): string | undefined {
  const [, bucket, prefix = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(wanted) ?? [];
  const names = prefix.split('/').filter((name) => name !== '');
  const isClean = !/[?#@]/.test(prefix) && names.every((name) => name !== '.' && name !== '..');
  if (bucket !== undefined && isClean) return ['s3:/', bucket, ...names].join('/');
  report.add(
    key,
    `expected s3://BUCKET/PREFIX with the name of a bucket (3 to 63 small letters, digits, dots and dashes)${from}`,
    'the server, its region and the credentials come from AWS_ENDPOINT_URL_S3, AWS_REGION and the usual places of AWS credentials',
  );
  return undefined;
}
