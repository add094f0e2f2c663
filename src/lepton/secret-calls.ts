import { createHmac } from 'node:crypto';
import { madeTokenOf } from '../contract/endpoint-token';
import { secretSchema } from './answers';
import { LeptonError } from './lepton-error';
import { segment, type Requests } from './requests';
import type { CallOptions, LeptonClient, PlatformAccess } from './types';

type SecretCalls = Pick<LeptonClient, 'listSecretNames' | 'createSecret' | 'deleteSecret' | 'madeToken'>;

/** Creates the calls about secrets of the workspace, and the tokens that are kept there. */
export function secretCalls(requests: Requests, { token }: Pick<PlatformAccess, 'token'>): SecretCalls {
  const listSecretNames: SecretCalls['listSecretNames'] = async (call) => {
    const secrets = await requests.list({ method: 'GET', path: '/usersecrets', options: call }, secretSchema);
    return secrets.map((secret) => secret.name);
  };
  const isListed = (name: string, call: CallOptions | undefined): Promise<boolean> =>
    listSecretNames(call).then(
      (names) => names.includes(name),
      (error: unknown) => {
        // Without permission to list, the answer is all there is.
        if (error instanceof LeptonError && error.kind === 'forbidden') return false;
        throw error;
      },
    );
  return {
    listSecretNames,
    async createSecret({ name, value }, call) {
      const json = [{ name, value, visibility: 'private' }];
      await requests.send({ method: 'POST', path: '/usersecrets', json, options: call });
    },
    async deleteSecret(name, call) {
      const request = { method: 'DELETE', path: `/usersecrets/${segment(name)}` } as const;
      const { status } = await requests.send({ ...request, acceptedStatuses: [404], options: call });
      if (status !== 404 || !(await isListed(name, call))) return;
      const message = `${request.method} /usersecrets/${name}: the platform answered 404, but its listing has this secret`;
      throw new LeptonError(message, { kind: 'invalid_response', request: 'DELETE /usersecrets', status });
    },
    madeToken: (name) => madeTokenOf(createHmac('sha512', token).update(`endpoint token ${name}`).digest('base64')),
  };
}
