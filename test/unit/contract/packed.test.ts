import { pack, unpack } from '../../../src/contract/packed';
import type { TaskPlan } from '../../../src/contract/plan';
import { runPlan } from '../../support/plans';

const planned = (count: number): readonly TaskPlan[] =>
  runPlan({ outputRoot: '/results', tasks: Array.from({ length: count }, (_, at) => `task_${at * 7}`) }).tasks;

const withCommand = (task: TaskPlan, command: string): TaskPlan => ({
  ...task,
  job: { ...task.job, container: { ...task.job.container, command: ['/bin/bash', '-c', command] } },
});

describe('packed tasks', () => {
  test('are the same when unpacked, also from some rows only', () => {
    const tasks = planned(250);
    const packed = pack(tasks);
    expect(unpack(packed)).toEqual(tasks);
    expect(unpack({ ...packed, rows: packed.rows.slice(100, 200) })).toEqual(tasks.slice(100, 200));
  });

  test.each([1, 2, 3])('of a run of %i', (count) => {
    const tasks = planned(count);
    expect(unpack(pack(tasks))).toEqual(tasks);
  });

  test('may differ in every way', () => {
    const [one, two, three, four] = planned(4) as [TaskPlan, TaskPlan, TaskPlan, TaskPlan];
    const tasks: TaskPlan[] = [
      withCommand(one, 'a: 1\nb: 2\nc: 3\n'),
      withCommand({ ...two, endpointName: null }, 'a: 1\nb: 22\nc: 3\n'),
      withCommand({ ...three, job: { ...three.job, envs: [], nodeGroup: 'group' } }, 'a: 1\nb: 2\n'),
      withCommand(
        { ...four, name: '', job: { ...four.job, body: { nested: { deep: [1, { x: null }] } } } },
        'aa\n\n\n',
      ),
    ];
    expect(unpack(pack(tasks))).toEqual(tasks);
    expect(unpack(pack(JSON.parse(JSON.stringify(tasks)) as TaskPlan[]))).toEqual(tasks);
  });

  test('share what they have in common, and take far less than the tasks themselves', () => {
    const script = Array.from({ length: 60 }, (_, at) => `line ${at} of what all jobs do`).join('\n');
    const tasks = planned(1_000).map((task) => withCommand(task, `type: ${task.name}\n${script}`));
    const packed = pack(tasks);
    const bytes = JSON.stringify(packed).length;
    expect(bytes / tasks.length).toBeLessThan(130);
    const [first, second] = unpack(packed);
    expect(second?.job.mounts).toBe(first?.job.mounts);
  });
});
