import { readFileSync } from 'node:fs';
import vm from 'node:vm';
import { withoutPromiseStacks } from '../../../src/worker/promise-stacks';

/** What the SDK's promise hook does to find a promise's globals (vm-shared.js). */
const asked = { activator: 'return globalThis.__TEMPORAL_ACTIVATOR__', error: 'return globalThis.Error' };

test('a promise of a workflow has no stack, and still tells whose it is', () => {
  // As whole as the SDK's: where another test of this process has left the SDK's hook, that runs for the promises here, too.
  const activator = {
    info: { runId: 'of this workflow' },
    promiseStackStore: { promiseToStack: new Map(), childToParent: new Map() },
  };
  const context = vm.createContext({ activator });
  vm.runInContext(withoutPromiseStacks('globalThis.__TEMPORAL_ACTIVATOR__ = activator;'), context);
  const promise = vm.runInContext('Promise.resolve(1)', context) as Promise<number>;
  const compile = promise.constructor.constructor as (text: string) => () => unknown;
  expect(compile(asked.activator)()).toBe(activator);
  const StackError = compile(asked.error)() as new () => Error;
  expect(new StackError().stack).toBeUndefined();
  expect(compile('return 1 + 1')()).toBe(2);
  expect(vm.runInContext('new Error("x").stack', context)).toContain('Error: x');
});

test('the installed SDK asks for them in these words', () => {
  const source = readFileSync(require.resolve('@temporalio/worker/lib/workflow/vm-shared'), 'utf8');
  for (const text of Object.values(asked)) expect(source).toContain(`'${text}'`);
});
