import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { escapeRegExp } from '../../../src/support/escape-regexp';
import { executablesOnPath, isExecutable } from '../../../src/support/executable';
import { firstOf } from '../../../src/support/listing';
import { isPlainObject } from '../../../src/support/plain-object';
import { isSameSecret } from '../../../src/support/same-secret';
import { sharedFor } from '../../../src/support/shared-for';
import { freshFolder } from '../../support/folders';
import { holds } from '../../support/fuzz';

test('an escaped text matches itself and nothing else', () => {
  holds(fc.property(fc.string(), (text) => expect(new RegExp(`^${escapeRegExp(text)}$`).test(text)).toBe(true)));
  expect(new RegExp(`^${escapeRegExp('a.b*')}$`).test('axbb')).toBe(false);
});

test('a long list shows its first items and counts the others', () => {
  expect(firstOf([], 2)).toBe('');
  expect(firstOf(['a', 'b'], 2)).toBe('a, b');
  expect(firstOf(['a', 'b', 'c', 'd'], 2, '; ')).toBe('a; b and 2 more');
});

test('only objects are plain objects, not arrays, null or primitives', () => {
  expect([{}, { a: 1 }, [], null, 'x', 1, undefined].map(isPlainObject)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('only equal secrets are the same', () => {
  expect(isSameSecret('abc', 'abc')).toBe(true);
  expect([isSameSecret('abc', 'abd'), isSameSecret('abc', 'abcd'), isSameSecret('', 'a')]).toEqual([
    false,
    false,
    false,
  ]);
});

test('commands are found on PATH in its order', async () => {
  const folder = await freshFolder('path');
  try {
    const [first, second] = ['a', 'b'].map((name) => path.join(folder.path, name));
    for (const at of [first, second]) {
      await mkdir(at ?? '');
      await writeFile(path.join(at ?? '', 'tool'), '');
    }
    await chmod(path.join(second ?? '', 'tool'), 0o755);
    const found: string[] = [];
    for await (const file of executablesOnPath('tool', ['', first, second, '/none'].join(path.delimiter)))
      found.push(file);
    expect(found).toEqual([path.join(second ?? '', 'tool')]);
    expect(await isExecutable(path.join(first ?? '', 'tool'))).toBe(false);
  } finally {
    await folder.dispose();
  }
});

test('a value is read once for all who ask for it, and again after a failure', async () => {
  const asked: string[] = [];
  const read = sharedFor(60_000, async (key) => {
    asked.push(key);
    if (key === 'broken') throw new Error('no');
    return Promise.resolve(asked.length);
  });
  expect(await Promise.all([read('a'), read('a'), read('b')])).toEqual([1, 1, 2]);
  expect(await read('a')).toBe(1);
  await expect(read('broken')).rejects.toThrow('no');
  await expect(read('broken')).rejects.toThrow('no');
  expect(asked).toEqual(['a', 'b', 'broken', 'broken']);
});
