import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { stringify } from 'yaml';
import { commandBench, runConfig, until, type CommandBench } from '../support/command';

/** `doctor`, the refusal of `start` by its quick part, and `logs` by time and over a cut connection: the built program. */

let bench: CommandBench;
beforeAll(async () => {
  bench = await commandBench('doctor-logs');
});
afterAll(() => bench.dispose());

const jobsNeed = (name: string) => [
  '-o',
  `+execution.lepton_platform.tasks.env_vars={A: {value_from: {secret_name_ref: ${name}}}}`,
];

test('doctor: 0 when all is there, 2 for what the config names wrongly, 3 for what is around it', async () => {
  const { env } = await bench.lepton();
  const fine = await bench.run(['doctor', bench.config], env);
  expect([fine.code, fine.stdout]).toEqual([0, expect.stringMatching(/^ok +config: .*3 tasks for org\/model\n/)]);

  const missing = await bench.run(['doctor', bench.config, '--json', ...jobsNeed('NOWHERE')], env);
  expect(missing.code).toBe(2);
  const document = JSON.parse(missing.stdout) as { ok: boolean; checks: { about: string; level: string }[] };
  expect(document.ok).toBe(false);
  expect(document.checks.filter(({ level }) => level === 'FAIL')).toMatchObject([{ about: 'secret' }]);

  const broken = path.join(bench.folder, 'broken.yaml');
  await writeFile(broken, stringify(runConfig({ evaluation: { tasks: [{ name: 'helaswag' }] } })));
  const wrong = await bench.run(['doctor', broken], env);
  expect([wrong.code, wrong.stdout]).toEqual([2, expect.stringMatching(/FAIL config: .*helaswag/)]);
  expect(wrong.stdout).toMatch(/ok +credentials/);

  const refused = await bench.run(['doctor', bench.config], { ...env, LEPTON_WORKSPACE_TOKEN: 'wrong' });
  expect([refused.code, refused.stdout]).toEqual([3, expect.stringMatching(/FAIL credentials: .*401/)]);
});

test('start refuses what the workspace lacks, with exit code 2 and nothing created', async () => {
  const lepton = await bench.lepton();
  const { code, stderr } = await bench.run(['start', bench.config, ...jobsNeed('NOWHERE')], lepton.env);
  expect([code, stderr]).toEqual([2, expect.stringMatching(/nothing was created[^]*no secret "NOWHERE"/)]);
  expect((await lepton.requests()).filter(({ method }) => method === 'POST')).toEqual([]);
});

test('logs -f goes on after cuts and ends with the job; --since asks by time', async () => {
  const lepton = await bench.lepton({
    jobs: {
      default: {
        states: [['Running', '8s'], ['Running', '8s'], ['Completed']],
      },
    },
    faults: [{ on: 'GET /jobs/*/replicas/*/log', times: 2, respond: 'drop' }],
  });
  const started = await bench.run(['start', bench.config, '-t', 'hellaswag', '--detach', '--json'], lepton.env);
  const { invocation } = JSON.parse(started.stdout) as { invocation: string };
  await until('the job runs', async () => (await lepton.inventory()).jobs.length > 0);
  const followed = await bench.run(['logs', `${invocation}.0`, '-f'], lepton.env);
  expect(followed.code).toBe(0);
  expect(followed.stderr).toMatch(/the log was cut off .*reading on/);
  expect(followed.stdout.match(/ Running$/gm)).toHaveLength(2);
  expect(followed.stdout).toMatch(/ Completed\n$/);
});

test('logs --since of a job that runs', async () => {
  const lepton = await bench.lepton({ jobs: { default: { states: [['Running', '1h'], ['Completed']] } } });
  const started = await bench.run(['start', bench.config, '-t', 'hellaswag', '--detach', '--json'], lepton.env);
  const { invocation } = JSON.parse(started.stdout) as { invocation: string };
  await until('the job runs', async () => (await lepton.inventory()).jobs.length > 0);
  const all = await bench.run(['logs', invocation, '--since', '1h'], lepton.env);
  expect([all.code, all.stdout]).toEqual([0, expect.stringMatching(/ Running\n$/)]);
  const later = await bench.run(
    ['logs', invocation, '--since', new Date(Date.now() + 60_000).toISOString()],
    lepton.env,
  );
  expect([later.code, later.stdout]).toEqual([0, '']);
  const asked = (await lepton.requests()).filter(({ path: route }) => route.startsWith('/logs?'));
  expect(asked.map(({ status }) => status)).toEqual([200, 200]);
  await bench.run(['cancel', invocation], lepton.env);
});
