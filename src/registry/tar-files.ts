/** Reads the files of a tar archive. Pure. */

export interface TarFile {
  readonly path: string;
  readonly content: Buffer;
}

const blockSize = 512;

/** Yields the regular files of an archive in the format of POSIX or GNU. Stops at what is not one. */
export function* tarFiles(archive: Buffer): Generator<TarFile> {
  let longName: string | undefined;
  for (let at = 0; at + blockSize <= archive.length;) {
    const header = archive.subarray(at, at + blockSize);
    const size = Number.parseInt(textOf(header.subarray(124, 136)).trim() || '0', 8);
    if (header[0] === 0 || !Number.isSafeInteger(size) || size < 0) return;
    const content = archive.subarray(at + blockSize, at + blockSize + size);
    at += blockSize + Math.ceil(size / blockSize) * blockSize;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'L') longName = textOf(content);
    else if (type === 'x') longName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(content.toString('utf8'))?.[1];
    else {
      const prefix = textOf(header.subarray(257, 262)) === 'ustar' ? textOf(header.subarray(345, 500)) : '';
      const name = textOf(header.subarray(0, 100));
      const path = longName ?? (prefix === '' ? name : `${prefix}/${name}`);
      longName = undefined;
      if (type === '0' || type === '\0') yield { path: path.replace(/^(?:\.?\/)+/, ''), content };
    }
  }
}

const textOf = (field: Buffer): string => {
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? field.length : end).toString('utf8');
};
