import fc from 'fast-check';
import { translatePaths } from '../../../src/local-platform/runtimes/process/container-paths';
import { cleanEnvironment, specEnvironment } from '../../../src/local-platform/runtimes/process/process-env';
import { describeEnd } from '../../../src/local-platform/runtimes/process/outcome';
import {
  findServer,
  namesPort,
  readServerRequest,
  withPort,
} from '../../../src/local-platform/runtimes/process/server-command';
import { standInNote } from '../../../src/local-platform/runtimes/process/servers';
import { commandsOf } from '../../../src/local-platform/runtimes/process/shell-wrapped';
import { wrapCommand } from '../../../src/config/plan/server-command';
import { holds } from '../../support/fuzz';

describe('container paths', () => {
  const mappings = [
    { container: '/workspace', host: '/home/me/ws' },
    { container: '/workspace/cache', host: '/home/me/cache' },
  ];

  test.each([
    ['/workspace', '/home/me/ws'],
    ['/workspace/run/x', '/home/me/ws/run/x'],
    ['--out=/workspace/run', '--out=/home/me/ws/run'],
    ['cd "/workspace" && ls', 'cd "/home/me/ws" && ls'],
    ['/workspace/cache/a:/workspace/b', '/home/me/cache/a:/home/me/ws/b'],
    ['/workspaces/x', '/workspaces/x'],
    ['/my/workspace/x', '/my/workspace/x'],
    ['http://host/workspace', 'http://host/workspace'],
    ['workspace', 'workspace'],
  ])('%s becomes %s', (given, expected) => {
    expect(translatePaths(given, mappings)).toBe(expected);
  });

  test('text without a mapped path is unchanged', () => {
    const text = fc.string().filter((value) => !value.includes('/workspace'));
    holds(fc.property(text, (value) => translatePaths(value, mappings) === value));
  });
});

describe('the model that a deployment names', () => {
  const envs = [
    { name: 'MODEL_PATH', value: 'owner/from-env' },
    { name: 'SERVED_MODEL_NAME', value: 'served-env' },
  ];

  test.each([
    [['vllm', 'serve', 'o/m', '--port=8000', '--served-model-name=s'], { model: 'o/m', servedModel: 's' }],
    [['/usr/bin/vllm', 'serve', '/models/x.gguf'], { model: '/models/x.gguf', servedModel: 'served-env' }],
    [
      ['python3', '-m', 'sglang.launch_server', '--model-path=o/m', '--context-length', '2048'],
      { model: 'o/m', maxModelLength: 2048 },
    ],
    [['trtllm-serve', 'o/m', '--max_seq_len', '1024'], { model: 'o/m', maxModelLength: 1024 }],
    [['trtllm-serve', 'serve', 'o/m'], { model: 'o/m' }],
    [['bash', '-c', 'exec something'], { model: 'owner/from-env', servedModel: 'served-env' }],
    [[], { model: 'owner/from-env' }],
    [['bash', '-c', 'vllm serve o/m --max-model-len 512'], { model: 'o/m', maxModelLength: 512 }],
    [['bash', '-lc', 'pip install x && exec vllm serve "o/m" --port 80'], { model: 'o/m' }],
    [['bash', '-c', 'vllm serve ${MODEL_PATH} --served-model-name $SERVED_MODEL_NAME'], { model: 'owner/from-env' }],
    [['bash', '-c', 'vllm serve o/m & wait'], { model: 'o/m' }],
  ])('%j', (command, expected) => {
    expect(readServerRequest({ container: { command }, envs })).toMatchObject(expected);
  });

  test.each([null, 'apt-get update\nexport A=1'])('inside evalsaga’s own wrapper, with pre_cmd %j', (preCmd) => {
    const words = ['vllm', 'serve', 'o/m', '--port=8000'];
    const command = wrapCommand({ command: words, preCmd, runtime: [{ name: 'A', from: 'B' }] });
    expect(findServer(command).words).toEqual(words);
    expect(findServer(command).script).toContain('export A=');
    expect(readServerRequest({ container: { command } })).toMatchObject({ model: 'o/m' });
    expect(withPort(command, 4711).slice(-4)).toEqual(['vllm', 'serve', 'o/m', '--port=4711']);
    const note = standInNote({ container: { command } }, 'o/m');
    expect(note).toMatchObject({ type: 'Warning', reason: 'StandIn' });
    expect(note.message).toContain('vllm is not on this machine');
    expect(note.message).toContain('pre_cmd) were not run');
    expect(standInNote({ container: { command: words } }, 'o/m')).toMatchObject({ type: 'Normal' });
  });

  test('a NIM is recognised by its variable alone', () => {
    const request = readServerRequest({ envs: [{ name: 'NIM_MODEL_NAME', value: 'meta/llama' }] });
    expect(request).toEqual({ model: 'meta/llama', servedModel: 'meta/llama', maxModelLength: undefined });
  });

  test('is undefined if nothing names one', () => {
    expect(readServerRequest({ container: { command: ['bash'] } })).toBeUndefined();
  });

  test('a command is changed to another port on loopback', () => {
    const words = ['vllm', 'serve', 'm', '--port=8000', '--host', '0.0.0.0'];
    expect(namesPort(words)).toBe(true);
    expect(withPort(words, 4711)).toEqual(['vllm', 'serve', 'm', '--port=4711', '--host', '127.0.0.1']);
    expect(withPort(['serve', '--port', '80'], 4711)).toEqual(['serve', '--port', '4711']);
    const script = ['bash', '-c', 'echo --ports; vllm serve m --port "8000" --host=0.0.0.0 && echo 8000'];
    expect(namesPort(script)).toBe(true);
    expect(withPort(script, 4711)[2]).toBe('echo --ports; vllm serve m --port 4711 --host=127.0.0.1 && echo 8000');
    expect(namesPort(['bash', '-c', 'start.sh --port-range 80'])).toBe(false);
  });
});

test.each([
  ['a b; c', [['a', 'b'], ['c']]],
  ['a \'b; c\' "d && e" f\\ g', [['a', 'b; c', 'd && e', 'f g']]],
  [
    'set -e\n# a comment; x\nA=1 B=2 exec run it | tee log',
    [
      ['set', '-e'],
      ['run', 'it'],
      ['tee', 'log'],
    ],
  ],
  ['long \\\n  line', [['long', 'line']]],
  ['', []],
])('commands of the script %j', (script, expected) => {
  expect(commandsOf(script)).toEqual(expected);
});

describe('environment of a process', () => {
  test('contains what programs need of the machine, and no secrets', () => {
    const env = cleanEnvironment({
      PATH: '/bin',
      HF_TOKEN: 'x',
      LEPTON_WORKSPACE_TOKEN: 'y',
      https_proxy: 'http://p',
      no_proxy: 'a.b',
    });
    expect(env).toEqual({
      PATH: '/bin',
      https_proxy: 'http://p',
      no_proxy: 'a.b,127.0.0.1,localhost',
      NO_PROXY: 'a.b,127.0.0.1,localhost',
    });
  });

  test('contains resolved secrets; an unknown one is an error', () => {
    const host = { secret: (name: string) => (name === 'KEY' ? 's3cret' : undefined) };
    const mappings = [{ container: '/workspace', host: '/here' }];
    const envs = [
      { name: 'A', value_from: { secret_name_ref: 'KEY' } },
      { name: 'B', value: '/workspace/x' },
    ];
    expect(specEnvironment(envs, { host, mappings })).toEqual({ A: 's3cret', B: '/here/x' });
    const missing = [{ name: 'C', value_from: { secret_name_ref: 'NONE' } }];
    expect(() => specEnvironment(missing, { host, mappings })).toThrow('secret "NONE"');
  });
});

const ended = (code: number, outOfMemory = false) => ({ kind: 'ended', code, at: 1_000, outOfMemory }) as const;

test.each([
  [ended(3), 'exit code 3'],
  [ended(127), 'command not found'],
  [ended(137), 'memory'],
  [ended(143), 'SIGTERM'],
  [ended(137, true), 'OOMKilled (exit code 137)'],
  [ended(1, true), 'OOMKilled (exit code 1): one of its processes'],
  [{ kind: 'lost' } as const, 'SIGKILL'],
])('the end %j is described as …%s…', (status, expected) => {
  expect(describeEnd(status)).toContain(expected);
});
