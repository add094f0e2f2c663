/** The oldest version of Node that is supported; the same as `engines` in package.json. */
export const oldestNode = '20.19.0';

/** Returns why a version (as in `process.versions.node`) is not supported; `undefined` if it is. Pure. */
export function nodeComplaint(version: string): string | undefined {
  const isEnough = compare(version, oldestNode) >= 0;
  return isEnough ? undefined : `evalsaga needs Node ${oldestNode.replace(/\.0$/, '')} or newer; this is ${version}.`;
}

function compare(one: string, other: string): number {
  const [left, right] = [one, other].map((text) => text.split('.').map((part) => parseInt(part, 10)));
  for (let i = 0; i < 3; i += 1) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
