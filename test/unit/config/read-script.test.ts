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

test('a large one, with all that the shell or Kubernetes would read, is read back too', () => {
  const lines = "a: '$(HOME) $$ \\n \\\\0044 %s ü'\n";
  for (const given of [lines, lines.repeat(1_000)]) {
    const command = jobCommand(script(given));
    expect(runConfigIn(command)).toBe(given);
    expect(command[2].replace('$(mktemp)', '')).not.toMatch(/\$\(|\$\$/);
  }
});

test('other commands have no run config', () => {
  expect(runConfigIn(['sh', '-c', 'echo hi'])).toBeUndefined();
  expect(runConfigIn(undefined)).toBeUndefined();
});
