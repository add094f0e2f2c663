import fc from 'fast-check';
import { translatePaths } from '../../src/platform/runtimes/process/container-paths';
import { cleanEnvironment, specEnvironment } from '../../src/platform/runtimes/process/environment';
import { describeEnd } from '../../src/platform/runtimes/process/outcome';
import { namesPort, readServerRequest, withPort } from '../../src/platform/runtimes/process/server-command';

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

  test('text without a mapped path stays as it is', () => {
    const text = fc.string().filter((value) => !value.includes('/workspace'));
    fc.assert(fc.property(text, (value) => translatePaths(value, mappings) === value));
  });
});

describe('what a deployment asks to be served', () => {
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
  ])('%j', (command, expected) => {
    expect(readServerRequest({ container: { command }, envs })).toMatchObject(expected);
  });

  test('a NIM is known by its variable alone', () => {
    const request = readServerRequest({ envs: [{ name: 'NIM_MODEL_NAME', value: 'meta/llama' }] });
    expect(request).toEqual({ model: 'meta/llama', servedModel: 'meta/llama', maxModelLength: undefined });
  });

  test('nothing named', () => {
    expect(readServerRequest({ container: { command: ['bash'] } })).toBeUndefined();
  });

  test('a server is moved to another port on loopback', () => {
    const words = ['vllm', 'serve', 'm', '--port=8000', '--host', '0.0.0.0'];
    expect(namesPort(words)).toBe(true);
    expect(withPort(words, 4711)).toEqual(['vllm', 'serve', 'm', '--port=4711', '--host', '127.0.0.1']);
    expect(withPort(['serve', '--port', '80'], 4711)).toEqual(['serve', '--port', '4711']);
  });
});

describe('environment of a process', () => {
  test('passes what the machine is about and nothing that is somebody’s secret', () => {
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

  test('looks secrets up, and refuses the job when there is none of that name', () => {
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

test.each([
  [{ kind: 'ended', code: 3, at: 0 } as const, 'exit code 3'],
  [{ kind: 'ended', code: 127, at: 0 } as const, 'command not found'],
  [{ kind: 'ended', code: 137, at: 0 } as const, 'memory'],
  [{ kind: 'ended', code: 143, at: 0 } as const, 'SIGTERM'],
  [{ kind: 'lost' } as const, 'SIGKILL'],
])('the end %j is told as …%s…', (status, expected) => {
  expect(describeEnd(status)).toContain(expected);
});
