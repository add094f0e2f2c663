import { status } from '@grpc/grpc-js';
import { NotOnThisWorker } from '../../../src/activities/elsewhere';
import {
  guardInstallation,
  type InstallationGuard,
  type InstallationGuardOptions,
} from '../../../src/worker/installation';

/** What a worker does when the server of another installation answers at the address of its own. */

type Answer = 'own' | 'foreign' | 'none' | 'refused';

let answer: Answer;
let asked: number;
let guard: InstallationGuard;
let ending: AbortController;

const fault = (code: number) => Object.assign(new Error('no answer'), { code, details: 'no answer', metadata: {} });

const connection = {
  withDeadline: (_deadline: unknown, call: () => Promise<unknown>) => call(),
  workflowService: {
    describeNamespace() {
      asked += 1;
      switch (answer) {
        case 'own':
        case 'foreign':
          return Promise.resolve({ namespaceInfo: { id: answer } });
        case 'none':
          return Promise.reject(fault(status.UNAVAILABLE));
        case 'refused':
          return Promise.reject(fault(status.PERMISSION_DENIED));
      }
    },
  },
} as unknown as InstallationGuardOptions['connection'];

function guarding(timing: Partial<NonNullable<InstallationGuardOptions['timing']>> = {}): InstallationGuard {
  return guardInstallation({
    connection,
    namespace: 'default',
    address: '127.0.0.1:7233',
    id: 'own',
    embedded: true,
    timing: { servesMs: 0, everyMs: 60_000, againMs: 1, ...timing },
  });
}

beforeEach(() => {
  answer = 'own';
  asked = 0;
  ending = new AbortController();
  guard = guarding();
});
afterEach(() => guard.close());

const admit = (): Promise<void> => guard.admit(ending.signal);

test('steps of its own installation begin; one answer serves those that begin soon after it', async () => {
  guard.close();
  guard = guarding({ servesMs: 60_000 });
  await Promise.all(Array.from({ length: 50 }, admit));
  expect(asked).toBe(0);
  guard.close();
  guard = guarding();
  await Promise.all(Array.from({ length: 50 }, admit));
  expect(asked).toBe(1);
});

test('no step of another installation begins, and the worker is told once', async () => {
  const told: string[] = [];
  guard.onReplaced(({ message }) => told.push(message));
  answer = 'foreign';
  await Promise.all([1, 2].map(() => expect(admit()).rejects.toBeInstanceOf(NotOnThisWorker)));
  // Its own may be back, but the worker has begun to end.
  answer = 'own';
  await expect(admit()).rejects.toThrow('a worker of another installation got this step and leaves it to others');
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/127\.0\.0\.1:7233.*another one answers.*evalsaga up/);
});

test('a worker without steps notices it, too', async () => {
  guard.close();
  guard = guarding({ everyMs: 1 });
  answer = 'foreign';
  const { message } = await new Promise<Error>((resolve) => guard.onReplaced(resolve));
  expect(message).toContain('The worker takes nothing from it and ends');
});

test('a server that does not answer is waited for; its answer decides', async () => {
  answer = 'none';
  const waiting = admit();
  while (asked < 3) await new Promise(setImmediate);
  answer = 'own';
  await waiting;
});

test('a step that is cancelled while no server answers does not begin', async () => {
  answer = 'none';
  const waiting = admit();
  ending.abort();
  await expect(waiting).rejects.toThrow(new NotOnThisWorker('Temporal at 127.0.0.1:7233 does not answer'));
});

test('a server that refuses the question gives no steps of another installation', async () => {
  answer = 'refused';
  await admit();
});
