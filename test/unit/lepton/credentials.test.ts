import { chmod, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { homePaths, type HomePaths } from '../../../src/home/paths';
import { writePrivateJson } from '../../../src/support/atomic-file';
import { loadAccess, saveAccess } from '../../../src/lepton/access-store';
import { findCredentials } from '../../../src/lepton/credentials';
import { CredentialsError } from '../../../src/lepton/lepton-error';
import { createPlatforms } from '../../../src/lepton/platforms';
import { checkExpiry } from '../../../src/lepton/token-expiry';

let folder: string;
let home: HomePaths;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'evalsaga-credentials-'));
  home = homePaths({ EVALSAGA_HOME: path.join(folder, 'home') });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const recorded = 1_800_748_602_488;
const loginFile = `
current_workspace: ws1
workspaces:
  ws1: {id: ws1, url: "http://127.0.0.1:9/api/v2/workspaces/ws1", display_name: One, auth_token: tok-one,
        workspace_origin_url: null, token_expires_at: ${recorded}, is_lepton_classic: false}
  ws2: {id: ws2, url: "https://gw.example/api/v2/workspaces/ws2", auth_token: tok-two, workspace_origin_url: "https://dash.example/x"}
`;

async function login(text: string): Promise<{ LEPTON_CACHE_DIR: string }> {
  const cache = path.join(folder, 'lepton');
  await mkdir(cache, { recursive: true });
  await writeFile(path.join(cache, 'workspace_info.yaml'), text);
  return { LEPTON_CACHE_DIR: cache };
}

const find = (env: Record<string, string>) => findCredentials({ env, homeFolder: folder });

test('without variables and login there are no credentials', () => {
  expect(find({})).toBeUndefined();
});

test('variables only: the gateway is the default address, and the id may contain the token', () => {
  expect(find({ LEPTON_WORKSPACE_ID: 'ws9', LEPTON_WORKSPACE_TOKEN: ' tok-nine\n' })).toEqual({
    access: {
      url: 'https://gateway.dgxc-lepton.nvidia.com/api/v2/workspaces/ws9',
      workspace: 'ws9',
      token: 'tok-nine',
      source: 'LEPTON_WORKSPACE_TOKEN',
    },
    source: 'LEPTON_WORKSPACE_TOKEN',
  });
  const joined = find({ LEPTON_WORKSPACE_ID: 'ws9:a:b', LEPTON_WORKSPACE_URL: 'http://127.0.0.1:1/x/' });
  expect(joined?.access).toMatchObject({ workspace: 'ws9', token: 'a:b', url: 'http://127.0.0.1:1/x' });
  expect(joined?.source).toBe('LEPTON_WORKSPACE_ID');
});

test('the login file: current workspace, expiry, origin reduced to scheme and host', async () => {
  const env = await login(loginFile);
  expect(find(env)).toMatchObject({ access: { workspace: 'ws1', token: 'tok-one' }, expiresAt: new Date(recorded) });
  expect(find(env)?.source).toContain('workspace_info.yaml');
  const other = find({ ...env, LEPTON_WORKSPACE_ID: 'ws2' });
  expect(other?.access).toMatchObject({ token: 'tok-two', origin: 'https://dash.example' });
  // The variable's token is not the recorded one, so its expiry is unknown.
  const own = find({ ...env, LEPTON_WORKSPACE_ID: 'ws1', LEPTON_WORKSPACE_TOKEN: 'another' });
  expect(own).toMatchObject({ access: { token: 'another', url: 'http://127.0.0.1:9/api/v2/workspaces/ws1' } });
  expect(own?.expiresAt).toBeUndefined();
});

test('the default login file is below the home folder', async () => {
  await mkdir(path.join(folder, '.cache', 'lepton'), { recursive: true });
  await writeFile(path.join(folder, '.cache', 'lepton', 'workspace_info.yaml'), loginFile);
  expect(find({})?.access.workspace).toBe('ws1');
});

test('after logout there are no credentials', async () => {
  expect(find(await login('current_workspace: null\nworkspaces: {}\n'))).toBeUndefined();
});

test.each<[string, Record<string, string>, string]>([
  ['a token without workspace', { LEPTON_WORKSPACE_TOKEN: 'secret-token' }, 'LEPTON_WORKSPACE_ID is not'],
  ['an address without workspace', { LEPTON_WORKSPACE_URL: 'http://h' }, 'LEPTON_WORKSPACE_ID is not'],
  ['a workspace without token', { LEPTON_WORKSPACE_ID: 'ws9' }, 'set LEPTON_WORKSPACE_TOKEN'],
  ['a token with a line break', { LEPTON_WORKSPACE_ID: 'w', LEPTON_WORKSPACE_TOKEN: 'secret\ntoken' }, 'copy it again'],
  ['no URL', { LEPTON_WORKSPACE_ID: 'w:secret-token', LEPTON_WORKSPACE_URL: 'gateway' }, 'not an http(s) URL'],
  [
    'a password in the URL',
    { LEPTON_WORKSPACE_ID: 'w:t', LEPTON_WORKSPACE_URL: 'http://u:secret@h/' },
    'remove them from the URL',
  ],
])('%s is refused in words that help and give nothing away', (_, env, expected) => {
  expect(() => find(env)).toThrow(CredentialsError);
  expect(() => find(env)).toThrow(expected);
  expect(() => find(env)).not.toThrow(/secret/);
});

test.each([
  ['invalid YAML', 'workspaces: {ws1: {auth_token: "secret', 'not valid YAML'],
  ['a list', '- a\n', 'top level'],
  ['a record without url', 'current_workspace: w\nworkspaces: {w: {auth_token: secret}}\n', 'workspaces.w.url'],
  ['no record of the current one', 'current_workspace: w\nworkspaces: {}\n', 'there is no record of it'],
  ['no token', 'current_workspace: w\nworkspaces: {w: {url: "http://h"}}\n', 'there is no token'],
])('a login file with %s is refused, naming the file', async (_, text, expected) => {
  const env = await login(text);
  expect(() => find(env)).toThrow(expected);
  expect(() => find(env)).toThrow('workspace_info.yaml');
  expect(() => find(env)).not.toThrow(/secret/);
});

test('expiry: nothing if far or unknown, a warning if near, an error if past', () => {
  const now = new Date('2025-11-25T12:00:00Z');
  const check = (expiresAt?: string) =>
    checkExpiry({ expiresAt: expiresAt === undefined ? undefined : new Date(expiresAt), source: 'lep login', now });
  expect(check()).toBeUndefined();
  expect(check('2026-01-01T00:00:00Z')).toBeUndefined();
  expect(check('2025-11-28T13:00:00Z')).toContain('expires in 3 days');
  expect(check('2025-11-25T15:00:00Z')).toContain('expires in 3 h');
  expect(() => check('2025-11-25T11:59:59Z')).toThrow('expired at 2025-11-25T11:59:59.000Z');
});

describe('access of a worker', () => {
  const url = 'http://127.0.0.1:9/api/v2/workspaces/ws1';
  const ref = { kind: 'lepton', workspace: 'ws1', url } as const;
  const load = (env: Record<string, string> = {}, wanted = ref) =>
    loadAccess(home, wanted, { env, homeFolder: folder });

  test('saved access is read from a private file', async () => {
    await saveAccess(home, { url: `${url}/`, workspace: 'ws1', token: 'tok-saved', origin: 'https://o.example' });
    expect(await load()).toMatchObject({ url, token: 'tok-saved', origin: 'https://o.example' });
    const { readdir } = await import('node:fs/promises');
    const [file] = await readdir(home.credentials);
    expect((await stat(path.join(home.credentials, file ?? ''))).mode & 0o777).toBe(0o600);
  });

  test('the environment wins, but only for the same workspace and address', async () => {
    await saveAccess(home, { url, workspace: 'ws1', token: 'tok-saved' });
    const env = { LEPTON_WORKSPACE_ID: 'ws1', LEPTON_WORKSPACE_TOKEN: 'tok-env', LEPTON_WORKSPACE_URL: `${url}/` };
    expect((await load(env)).token).toBe('tok-env');
    expect((await load({ ...env, LEPTON_WORKSPACE_URL: 'http://elsewhere' })).token).toBe('tok-saved');
    expect((await load({ ...env, LEPTON_WORKSPACE_ID: 'ws2' })).token).toBe('tok-saved');
    expect((await load({ LEPTON_WORKSPACE_ID: 'ws1' })).token).toBe('tok-saved');
  });

  test('the login record of the workspace, current or not; else an error with advice', async () => {
    const env = await login(loginFile);
    expect((await load(env)).token).toBe('tok-one');
    const second = { kind: 'lepton', workspace: 'ws2', url: 'https://gw.example/api/v2/workspaces/ws2' } as const;
    expect((await loadAccess(home, second, { env, homeFolder: folder })).token).toBe('tok-two');
    await expect(load()).rejects.toThrow('set LEPTON_WORKSPACE_ID, LEPTON_WORKSPACE_TOKEN and LEPTON_WORKSPACE_URL');
  });

  test('the local platform: missing, moved, another workspace', async () => {
    const local = { kind: 'local', workspace: 'local' } as const;
    await expect(loadAccess(home, local)).rejects.toThrow('evalsaga up');
    const platform = createPlatforms(home);
    await writePrivateJson(home.platformAccess, { url: 'http://127.0.0.1:1/x', workspace: 'local', token: 'a' });
    const first = await platform(local);
    expect(await platform(local)).toBe(first);
    await writePrivateJson(home.platformAccess, { url: 'http://127.0.0.1:2/x', workspace: 'local', token: 'a' });
    expect((await platform(local)).client.access.url).toBe('http://127.0.0.1:2/x');
    await expect(loadAccess(home, { kind: 'local', workspace: 'other' })).rejects.toThrow('was started on other');
  });
});

test('an unreadable login file does not matter if the variables are complete', async () => {
  const env = await login('{{{');
  await chmod(path.join(env.LEPTON_CACHE_DIR, 'workspace_info.yaml'), 0o600);
  const complete = { ...env, LEPTON_WORKSPACE_ID: 'w:t', LEPTON_WORKSPACE_URL: 'http://127.0.0.1:1/w' };
  expect(find(complete)?.access.workspace).toBe('w');
});
