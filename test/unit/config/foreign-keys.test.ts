import { foreignKey, foreignKeys } from '../../../src/config/schema/foreign-executors';

test('every foreign key is listed once', () => {
  const paths = foreignKeys.map(({ path }) => path);
  expect(paths).toEqual([...new Set(paths)]);
});

test.each([
  ['execution.walltime', 'execution.walltime'],
  ['execution.mounts.evaluation./data', 'execution.mounts.evaluation'],
  ['execution.mounts.mount_home', 'execution.mounts'],
  ['execution.mountsx', undefined],
  ['execution.output_dir', undefined],
])('%s belongs to %s', (path, found) => {
  expect(foreignKey(path.split('.'))?.path).toBe(found);
});
