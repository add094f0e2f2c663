import path from 'node:path';
import type { FileContent } from '../../support/atomic-file';
import { defaultSkips } from '../../contract/skip-results';
import type { Archive, PackedFile } from './archive';
import { inOrder, localPath, withoutClashes, type RemoteFile, type RemoteTree, type TreeRequest } from './remote-tree';
import { skipRule } from './skip-rules';

/** What of a task's folder is at home as its archive has it. */
export class Unpacking {
  private readonly done = new Set<string>();

  constructor(
    private readonly archive: Archive | undefined,
    /** The task's folder, absolute in the file system. */
    private readonly folder: string,
  ) {}

  /** Returns the file in the archive; `undefined` if the archive lacks it, or there is none. */
  find({ remote }: RemoteFile): PackedFile | undefined {
    return this.archive?.files.get(path.posix.relative(this.folder, remote));
  }

  note({ local }: RemoteFile): void {
    this.done.add(local);
  }

  /** Whether all of these came from the archive. Then a listing that was made after it had come has shown that it lacks none. */
  isAll(files: readonly RemoteFile[]): boolean {
    return this.archive !== undefined && files.every(({ local }) => this.done.has(local));
  }
}

export const isSame = (one: FileContent, other: FileContent): boolean =>
  one.size === other.size && one.sha256 === other.sha256;

/**
 * Returns the tree with files that its listing did not show, although an archive has them. Where something stays in storage, so do they.
 * Pure.
 */
export function withFiles(
  tree: RemoteTree,
  relatives: readonly string[],
  { folder, skip = defaultSkips }: Pick<TreeRequest, 'folder' | 'skip'>,
): RemoteTree {
  if (tree.left.length > 0) return tree;
  const listed = new Set(tree.files.map(({ remote }) => remote));
  const folders = new Set(tree.files.flatMap(({ remote }) => foldersOf(remote)));
  const isSkipped = skipRule(skip);
  const more = relatives.flatMap((relative): RemoteFile[] => {
    const local = localPath(relative);
    const remote = path.posix.join(folder, relative);
    const names = relative.split('/');
    const isLeftOut = names.some((name, depth) => isSkipped(depth + 1 < names.length ? 'dir' : 'file', name));
    const isInTheWay = folders.has(remote) || foldersOf(remote).some((above) => listed.has(above));
    return local === undefined || listed.has(remote) || isLeftOut || isInTheWay ? [] : [{ remote, local }];
  });
  if (more.length === 0) return tree;
  const { files, clashes } = withoutClashes([...tree.files, ...more]);
  return { ...tree, files: inOrder(files), left: clashes };
}

/** The folders that a path leads through. */
function foldersOf(file: string): readonly string[] {
  const above = path.posix.dirname(file);
  return above === file ? [] : [above, ...foldersOf(above)];
}
