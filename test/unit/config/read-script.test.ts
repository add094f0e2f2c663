import { jobCommand, type JobScript } from '../../../src/config/plan/job-script';
import { runConfigIn } from '../../../src/config/plan/read-script';

const script = (runConfig: string): JobScript => ({
  task: 'lm-evaluation-harness.hellaswag',
  runConfig,
  preCmd: 'echo EVALSAGA_END',
  postCmd: null,
  timeoutSeconds: 60,
  modelUrl: null,
  ownUrl: false,
  runtimeVariables: [],
});

const plain = "config:\n  params:\n    limit_samples: 10\n    task: 'it''s'\n";

test.each([
  ['as it is', plain, plain],
  ['that holds the mark of its own end', `${plain}EVALSAGA_END\n`, `${plain}EVALSAGA_END\n`],
  [
    'whose secret parts are filled in later',
    `${plain}target:\n  api_endpoint:\n    url: https://me:***EVALSAGA_URL_SECRET_0***@host/v1\n    it's: "x"\n`,
    `${plain}target:\n  api_endpoint:\n    url: https://me:***@host/v1\n    it's: "x"\n`,
  ],
])('the run config of a job is read back: one %s', (_case, given, read) => {
  expect(runConfigIn(jobCommand(script(given)))).toBe(read);
});

test('other commands have no run config', () => {
  expect(runConfigIn(['sh', '-c', 'echo hi'])).toBeUndefined();
  expect(runConfigIn(undefined)).toBeUndefined();
});
