import { knownToken, madeTokenFor, removeToken, storeToken } from '../../../src/activities/endpoint-token';
import { tokenSecretName } from '../../../src/contract/endpoint-token';
import { createLeptonClient } from '../../../src/lepton/client';
import { LeptonError } from '../../../src/lepton/lepton-error';
import type { Deployment, LeptonClient } from '../../../src/lepton/types';

/** The made token where several workers, attempts and credentials are involved. */

const owner = { invocation: '843b6c12a0b1c2d3', name: 'vllm-hellaswag-0-843b6c12' };
const name = tokenSecretName(owner.invocation, owner.name);
const conflict = new LeptonError('POST /usersecrets: 409', { kind: 'conflict', request: 'POST /usersecrets' });

/** A workspace in memory, and clients of it with different credentials. */
function workspace() {
  const secrets = new Map<string, string>();
  let deployment: Deployment | undefined;
  const clientWith = (token: string): LeptonClient => ({
    ...createLeptonClient({ url: 'http://127.0.0.1:9/w', workspace: 'w', token }),
    createSecret: ({ name: asked, value }) => {
      if (secrets.has(asked)) return Promise.reject(conflict);
      secrets.set(asked, value);
      return Promise.resolve();
    },
    deleteSecret: (asked) => Promise.resolve(void secrets.delete(asked)),
    listSecretNames: () => Promise.resolve([...secrets.keys()]),
    getDeployment: () => Promise.resolve(deployment),
  });
  const deploy = (client: LeptonClient): Deployment => {
    const value = madeTokenFor(client, owner).digest ?? '';
    return (deployment = { metadata: {}, spec: { envs: [{ name: 'EVALSAGA_TOKEN_DIGEST', value }] } });
  };
  return { secrets, clientWith, deploy };
}

test('a repeated attempt stores the same token, also on another worker with these credentials', async () => {
  const { secrets, clientWith, deploy } = workspace();
  await storeToken(clientWith('a'), owner);
  const [value] = secrets.values();
  await storeToken(clientWith('a'), owner);
  expect([...secrets]).toEqual([[name, value]]);
  expect(knownToken(clientWith('a'), owner, deploy(clientWith('a')))).toBe(value);
});

test('a worker with other credentials replaces a token that no endpoint depends on, and no other', async () => {
  const { secrets, clientWith, deploy } = workspace();
  await storeToken(clientWith('a'), owner);
  await storeToken(clientWith('b'), owner);
  expect(secrets.get(name)).toBe(clientWith('b').madeToken(name));
  const deployment = deploy(clientWith('b'));
  await storeToken(clientWith('c'), owner);
  expect(secrets.get(name)).toBe(clientWith('b').madeToken(name));
  // This process stored it, so it knows the token although its credentials have changed.
  expect(knownToken(clientWith('c'), owner, deployment)).toBe(clientWith('b').madeToken(name));
  expect(await removeToken(clientWith('c'), owner)).toBeUndefined();
  expect(knownToken(clientWith('c'), owner, deployment)).toBeNull();
  expect(knownToken(clientWith('b'), owner, undefined)).toBeNull();
});

test('a secret that cannot be removed is said, and does not stop anything', async () => {
  const refused = new LeptonError('403', { kind: 'forbidden', request: 'DELETE /usersecrets/x' });
  const client = { ...workspace().clientWith('a'), deleteSecret: () => Promise.reject(refused) };
  expect(await removeToken(client, owner)).toEqual({ reason: '403', mayPass: false });
});
