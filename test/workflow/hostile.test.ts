import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { runWorkflowId, taskWorkflowId } from '../../src/contract/identity';
import { taskFolder, taskSlug } from '../../src/config/plan/resource-names';
import { statusText } from '../../src/cli/render/run-status';
import { emptyInventory, startBench, type Bench } from '../support/bench';
import { everythingOf, filesBelow } from '../support/canaries';
import { runPlan } from '../support/plans';

let bench: Bench;
beforeAll(async () => {
  bench = await startBench();
});
afterAll(() => bench.close());

const names = [
  '../../../etc/passwd',
  `${'x'.repeat(480)}$(touch /tmp/pwned)`,
  '<img src=x onerror=alert(1)>|`a`\n# b',
  '李明/🚀\u202e\u001b[2J',
];
const markup =
  '\u001b]0;owned\u0007\u001b[31m**bold** | cell | <script>alert(1)</script> [x](javascript:y) `z`\r\nnext\u202eline';

test.concurrent(
  'names and texts with code, markup or control sequences: the run completes, and shows them as plain text',
  async () => {
    const scenario = await bench.scenario({
      endpoints: { default: { states: [['Starting', '700ms', markup], ['Ready']] } },
      jobs: { default: { states: [['Running', '500ms', markup], ['Failed']], log: `log: ${markup}`, message: markup } },
    });
    const base = runPlan({
      outputRoot: scenario.outputRoot,
      tasks: ['a', 'b', 'c', 'd'],
      change: { model: 'test/model' },
    });
    const tasks = base.tasks.map((task, index) => ({
      ...task,
      name: names[index] ?? '',
      folder: taskFolder({ slug: taskSlug(names[index] ?? ''), index }),
    }));
    const plan = { ...base, tasks };
    await scenario.start(plan);
    const run = await scenario.closed(plan);
    expect(run.snapshot.tasks.map(({ error }) => error?.type)).toEqual(Array(4).fill('JobFailed'));
    expect(await scenario.platform.inventory()).toEqual(emptyInventory);

    const files = await filesBelow(scenario.outputRoot);
    expect(files.map(({ file }) => file.split('/')[1]).filter((name) => name !== 'run.json')).toEqual(
      expect.arrayContaining(tasks.map(({ folder }) => folder)),
    );
    expect(statusText({ run, now: Date.now(), width: 120 })).not.toMatch(
      /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202e]/,
    );
    for (const id of [runWorkflowId(plan.invocation), taskWorkflowId(plan.invocation, 2)]) {
      const description = await bench.client.workflow.getHandle(id).describe();
      expect(await description.staticSummary()).not.toMatch(/[<>|`\n\u001b]/);
    }
    const metadata = await everythingOf(bench.client, taskWorkflowId(plan.invocation, 2));
    const details = /"currentDetails":"((?:[^"\\]|\\.)*)"/.exec(metadata)?.[1] ?? '';
    expect(details).toContain('| **Error**&#160; | job');
    expect(details).not.toMatch(/<script|<img|\*\*bold|\[x\]/);
  },
);

test.concurrent('symbolic links that lead out of a results folder: nothing outside the folder is fetched', async () => {
  const scenario = await bench.scenario({ jobs: { default: { states: [['Running', '8s'], ['Completed']] } } });
  const plan = runPlan({ outputRoot: scenario.outputRoot, tasks: ['hellaswag'] });
  const outside = path.join(scenario.home.root, 'outside.txt');
  await writeFile(outside, 'outside of the storage');
  await chmod(outside, 0o600);
  await scenario.start(plan);
  await scenario.until(plan, ({ tasks }) => tasks[0]?.phase === 'running job');
  const { fileSystem, path: run } = plan.storage;
  const folder = path.join(scenario.home.platform, 'storage', fileSystem, run, plan.tasks[0]?.folder ?? '');
  await mkdir(folder, { recursive: true });
  await symlink(outside, path.join(folder, 'link.txt'));
  await symlink('/', path.join(folder, 'root'));
  const { snapshot } = await scenario.closed(plan);
  expect(snapshot.tasks[0]?.metrics).not.toEqual({});
  const home = await filesBelow(scenario.outputRoot);
  for (const { file, text } of home)
    expect({ file, isOutside: text.includes('outside of the storage') }).toEqual({ file, isOutside: false });
});
