import { createHmac } from 'node:crypto';
import { madeTokenOf } from '../contract/endpoint-token';
import { secretSchema } from './answers';
import { segment, type Requests } from './requests';
import type { LeptonClient, PlatformAccess } from './types';

type SecretCalls = Pick<LeptonClient, 'listSecretNames' | 'createSecret' | 'deleteSecret' | 'madeToken'>;

/** Creates the calls about secrets of the workspace, and the tokens that are kept there. */
export const secretCalls = (requests: Requests, { token }: Pick<PlatformAccess, 'token'>): SecretCalls => ({
  async listSecretNames(call) {
    const secrets = await requests.list({ method: 'GET', path: '/usersecrets', options: call }, secretSchema);
    return secrets.map((secret) => secret.name);
  },
  async createSecret({ name, value }, call) {
    const json = [{ name, value, visibility: 'private' }];
    await requests.send({ method: 'POST', path: '/usersecrets', json, options: call });
  },
  async deleteSecret(name, call) {
    const path = `/usersecrets/${segment(name)}`;
    await requests.send({ method: 'DELETE', path, acceptedStatuses: [404], options: call });
  },
  madeToken: (name) => madeTokenOf(createHmac('sha512', token).update(`endpoint token ${name}`).digest('base64')),
});
