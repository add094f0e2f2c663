import { mkdtempSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { homePaths } from '../../src/home/paths';
import { storedSecrets, storeRun } from '../../src/home/run-store';
import { createLeptonClient } from '../../src/lepton/client';
import { renderJob } from '../../src/lepton/render-spec';
import { runPlan } from '../support/plans';
import { until } from '../support/command';
import { testPlatform, type TestPlatform } from './test-platform';

/** Values that a shell, a template or a YAML parser would change reach the container unchanged. */

const hostile = {
  SHELL: `a$b"c'd\`id\`e!f $(id) \${HOME} %s \\n \\`,
  LINES: 'first\nsecond\r\n\tthird  \n',
  PAIR: 'workspace:token:with=signs&more #no comment',
  LETTERS: 'größe 李明 🚀 \u0001\u007f',
  SPACES: '  around  ',
  ANCHOR: '*a &b {c: [d]} <<: !e | > @f',
};

let platform: TestPlatform;
afterEach(() => platform.dispose());

test('variables of the host and secrets of the workspace reach the process of a job byte for byte', async () => {
  const root = mkdtempSync(path.join(tmpdir(), 'evalsaga-bytes-'));
  platform = await testPlatform({ runtime: 'process', root });
  const names = Object.keys(hostile);
  const stored = names.map((name) => ({ name: `WS_${name}`, value: hostile[name as keyof typeof hostile] }));
  await platform.json('POST', '/usersecrets', stored);
  const home = homePaths({ EVALSAGA_HOME: path.join(root, 'home') });
  const plan = runPlan({ outputRoot: root, tasks: ['one'] });
  await storeRun(home, { plan, configYaml: '', secrets: hostile });
  const values = await storedSecrets(home, plan.invocation);

  const out = path.join(root, 'seen.json');
  const code = `require('fs').writeFileSync(${JSON.stringify(out)}, JSON.stringify(process.env))`;
  const spec = {
    container: { image: 'node', command: [process.execPath, '-e', code] },
    envs: [
      ...names.map((name) => ({ name, secret: { kind: 'host', name } as const })),
      ...names.map((name) => ({ name: `FROM_${name}`, secret: { kind: 'workspace', name: `WS_${name}` } as const })),
    ],
    mounts: [],
    nodeGroup: null,
    body: {},
  };
  const client = createLeptonClient({ url: platform.url, workspace: platform.workspace, token: platform.token });
  const marks = { invocation: plan.invocation, index: 0, origin: 'test' };
  const wire = renderJob(spec, {
    marks,
    nodeGroupId: null,
    modelUrl: 'http://127.0.0.1/v1',
    resolve: (name) => values[name] ?? '',
  });
  const job = await client.createJob({ name: 'bytes', spec: wire });
  const id = job.metadata.id ?? '';
  await until('the job is over', async () => {
    const state = (await client.getJob(id))?.status?.state ?? '';
    return ['Completed', 'Failed'].includes(state);
  });
  const seen = JSON.parse(await readFile(out, 'utf8')) as Record<string, string>;
  for (const name of names) {
    expect([name, seen[name]]).toEqual([name, hostile[name as keyof typeof hostile]]);
    expect([name, seen[`FROM_${name}`]]).toEqual([name, hostile[name as keyof typeof hostile]]);
  }
  await client.deleteJob(id);
  await until('it is gone', async () => (await client.getJob(id, { mode: 'alive_only' })) === undefined);
});
