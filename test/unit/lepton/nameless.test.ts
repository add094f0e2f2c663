import { deploymentCalls, type Dialect } from '../../../src/lepton/deployment-calls';
import { jobCalls } from '../../../src/lepton/job-calls';
import type { Requests } from '../../../src/lepton/requests';

/** Without a name in its path a request about one resource would be one about all of them. */
const never = (): never => {
  throw new Error('the platform was asked');
};
const requests = new Proxy({}, { get: () => never }) as Requests;
const dialect = () => Promise.resolve({ kind: 'deployments', base: '/deployments' } as Dialect);

test('no request about a resource without a name is sent', async () => {
  const deployments = deploymentCalls(requests, dialect);
  const jobs = jobCalls(requests);
  const calls = [
    deployments.getDeployment(''),
    deployments.createDeployment({ name: '', spec: {} }),
    deployments.deleteDeployment(''),
    deployments.deploymentReplicas(''),
    jobs.createJob({ name: '', spec: {} }),
    jobs.deleteJob(''),
  ];
  for (const call of calls)
    await expect(call).rejects.toMatchObject({
      kind: 'invalid_request',
      message: expect.stringContaining('name of the resource is missing'),
    });
});
