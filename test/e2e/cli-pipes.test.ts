import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { commandBench, program, type CommandBench } from '../support/command';

let bench: CommandBench;
beforeAll(async () => (bench = await commandBench('pipes')));
afterAll(() => bench.dispose());

/** Runs a line of bash in which `$ES` is the program. Resolves to its stdout and exit code. */
function bash(line: string, env: Record<string, string>): Promise<{ readonly said: string; readonly code: number }> {
  const child = spawn('bash', ['-c', line], {
    cwd: bench.folder,
    env: { ...bench.env, ...env, ES: `${process.execPath} -- ${program}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (piece: Buffer) => (said += piece.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ said, code: code ?? -1 })));
}

describe('closing the pipe does not change the exit code', () => {
  const failing = { jobs: { match: [{ name: '*wino*', states: [['Running', '3s'], ['Failed']] }] } };

  test.each([
    [
      'stdout and stderr, closed after one line',
      `$ES start ${'run.yaml'} 2>&1 | grep -m1 platform; echo "\${PIPESTATUS[0]}"`,
    ],
    ['stdout, closed before any output', `$ES start run.yaml --json 2>/dev/null | true; echo "\${PIPESTATUS[0]}"`],
  ])('of a failing run: %s', async (_case, line) => {
    const platform = await bench.lepton(failing);
    const { said } = await bash(line, platform.env);
    expect(said.trimEnd().split('\n').at(-1)).toBe('1');
    expect(await platform.inventory()).toMatchObject({ deployments: [], jobs: [] });
  });

  test('of a doctor that found a problem', async () => {
    const { said } = await bash('$ES doctor nope.yaml 2>&1 | true; echo "${PIPESTATUS[0]}"', {});
    expect(said.trim()).toBe('2');
  });
});

test('on a terminal of unknown size, progress is printed as plain lines', async () => {
  const platform = await bench.lepton();
  const { said, code } = await bash(`script -qec "$ES start run.yaml -t hellaswag" /dev/null`, platform.env);
  expect(code).toBe(0);
  expect(said).toMatch(/^\d\d:\d\d:\d\d run: evaluating/m);
  // No escape sequence that moves the cursor or erases.
  expect(said).not.toMatch(/\u001b\[\d*[A-HJKf]/);
});

describe('--env-file', () => {
  test("with a missing file: the error is evalsaga's own, not that of Node's option of the same name", async () => {
    const { said, code } = await bash('$ES start run.yaml --env-file nope.env 2>&1', {});
    expect(said).toMatch(/nope\.env: the env file does not exist/);
    expect(code).toBe(2);
  });

  test('is not taken by Node when the program is started through its shebang line', async () => {
    const link = path.join(bench.folder, 'evalsaga');
    writeFileSync(link, `#!/bin/sh\nexec ${program} "$@"\n`, { mode: 0o755 });
    const { said, code } = await bash(`chmod +x ${program}; ./evalsaga start run.yaml --env-file nope.env 2>&1`, {});
    expect(said).toMatch(/the env file does not exist/);
    expect(code).toBe(2);
  });
});
