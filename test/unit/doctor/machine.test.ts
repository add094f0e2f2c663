import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkPorts } from '../../../src/doctor/check-ports';
import { checkPython } from '../../../src/doctor/check-python';
import { freshFolder } from '../../support/folders';

/** What `doctor` says of the machine's own programs and ports; each FAIL says what to do. */

let root: string;
let dispose: () => Promise<void>;
beforeEach(async () => {
  ({ path: root, dispose } = await freshFolder('doctor'));
});
afterEach(() => dispose());

/** PATH is a folder with nothing but these programs: shell lines, by name. */
async function look(programs: Readonly<Record<string, string>>, { isNeeded = true, env = {} } = {}) {
  for (const [name, line] of Object.entries(programs)) {
    await writeFile(path.join(root, name), `#!/bin/sh\n${line}\n`);
    await chmod(path.join(root, name), 0o755);
  }
  return checkPython({ home: { runtimes: path.join(root, 'runtimes') }, env: { PATH: root, ...env }, isNeeded });
}

const python = (version: string, pip: 'with pip' | 'without pip') =>
  `case "$*" in *pip*) exit ${pip === 'with pip' ? 0 : 1};; *) echo "${version} $0";; esac`;

test.each([
  ['missing', {}, {}, /^No Python ≥ 3\.10 was found \(looked for python3, python on PATH\)/],
  ['too old', { python3: python('3 8', 'with pip') }, {}, /python3 is 3\.8/],
  ['named, and not there', {}, { EVALSAGA_PYTHON: '/nowhere' }, /EVALSAGA_PYTHON names "\/nowhere"/],
  ['none that answers', { python3: 'exit 1' }, {}, /^No Python/],
])('a Python that is %s is a FAIL', async (_, programs, env, message) => {
  expect(await look(programs, { env })).toEqual([
    {
      about: 'python',
      level: 'FAIL',
      blame: 'surroundings',
      message: expect.stringMatching(message),
      advice: expect.stringMatching(/^Install Python 3\.10 or newer.*EVALSAGA_PYTHON/),
    },
  ]);
});

test('if everything is installed already, a missing Python is only a warning', async () => {
  expect(await look({}, { isNeeded: false })).toMatchObject([{ about: 'python', level: 'warn' }]);
});

test.each([
  ['none', {}, /^No uv is on PATH, and .*python3 has no pip/],
  ['too old', { uv: 'echo "uv 0.1.2 (x)"' }, /^uv on PATH is 0\.1\.2, older than 0\.3, and .*no pip/],
])('uv: %s, and no pip to install one with, is a FAIL', async (_, programs, message) => {
  expect(await look({ python3: python('3 11', 'without pip'), ...programs })).toMatchObject([
    { about: 'python', level: 'ok' },
    {
      about: 'uv',
      level: 'FAIL',
      message: expect.stringMatching(message),
      advice: expect.stringMatching(/Install uv .* python3-pip/),
    },
  ]);
});

test('uv: the one on PATH, else what pip installs', async () => {
  const withPip = { python3: python('3 11', 'with pip') };
  expect(await look({ ...withPip, uv: 'echo "uv 0.9.1"' })).toMatchObject([
    { level: 'ok' },
    { level: 'ok', message: '0.9.1 is on PATH' },
  ]);
  expect(await look({ ...withPip, uv: 'echo "uv 0.1.2"' })).toMatchObject([
    { level: 'ok' },
    { level: 'ok', message: expect.stringMatching(/^uv on PATH is 0\.1\.2, older than 0\.3: .* with pip$/) },
  ]);
});

test('busy ports are named, with what happens; none to be had at all is a FAIL', async () => {
  const busy = (taken: readonly number[]) =>
    checkPorts(([port]) => Promise.resolve(port !== undefined && !taken.includes(port) ? port : 40_000));
  expect(await busy([])).toMatchObject([{ level: 'ok', message: '7233, 8233 are free' }]);
  expect(await busy([7233])).toMatchObject([{ level: 'ok', message: '7233 is in use: other free ones will be used' }]);
  expect(await busy([7233, 8233])).toMatchObject([{ message: expect.stringMatching(/^7233, 8233 are in use/) }]);
  expect(await checkPorts(() => Promise.reject(new Error('This machine has no free TCP port')))).toMatchObject([
    {
      level: 'FAIL',
      message: expect.stringContaining('no free TCP port'),
      advice: expect.stringContaining('127.0.0.1'),
    },
  ]);
});
