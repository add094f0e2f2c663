/** The part of a job's script that packs its results into one archive (contract/results-archive.ts). Pure. */
import { archiveManifest, maxPackedBytes, maxPackedFiles, resultsArchive } from '../../contract/results-archive';
import { shellQuote } from '../../support/shell';

/** Which results a job packs. */
export interface PackedResults {
  /** Names that are not fetched, and so not packed: see `execution.skip_results`. */
  readonly skip: readonly string[];
}

/** Returns the lines that remove what an earlier job of the same task has packed. */
export const staleArchiveLines = (): string[] => [`rm -f "$out/${resultsArchive}" "$out/${resultsArchive}.part"`];

/**
 * Returns the lines that pack the results of a script that ends with `$ended`. Whatever goes wrong, there is no archive, the results are
 * as they were, and so is the exit code.
 */
export const archiveLines = ({ skip }: PackedResults): string[] => [
  '  if [ "$ended" -eq 0 ] && [ -z "$interrupted" ]; then',
  `  python3 -I -S -X utf8 - "$out" ${[resultsArchive, String(maxPackedBytes), String(maxPackedFiles), ...skip].map(shellQuote).join(' ')} >/dev/null 2>&1 <<'EVALSAGA_PACK' || true`,
  packProgram.trim(),
  'EVALSAGA_PACK',
  `  rm -f "$out/${resultsArchive}.part" 2>/dev/null`,
  '  fi',
];

/** Seconds after which packing is given up. */
const packSeconds = 60;

/**
 * Entries are numbered, so that no name has to fit a zip archive; the list of contents, the last entry, says which file is which. It has only
 * files that did not change meanwhile, and that no other process has open: of the others, nobody knows what will be written yet.
 */
const packProgram = `
import hashlib, json, os, re, signal, stat, sys, zipfile
out, name, most, most_files = os.path.realpath(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
signal.alarm(${packSeconds})
rules = [(rule.endswith("/"), re.compile(".*".join(map(re.escape, re.sub("/$", "", rule).split("*"))), re.S)) for rule in sys.argv[5:]]
part = name + ".part"
def skipped(is_folder, entry):
    return any(of_folders == is_folder and rule.fullmatch(entry) for of_folders, rule in rules)
def state(path):
    found = os.lstat(path)
    return (found.st_size, found.st_mtime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else None
def found():
    for folder, folders, files in os.walk(out):
        folders[:] = [entry for entry in folders if not skipped(True, entry)]
        for entry in files:
            path = os.path.join(folder, entry)
            inner = os.path.relpath(path, out)
            if inner in (name, part) or skipped(False, entry) or inner != inner.encode("utf-8", "replace").decode():
                continue
            before = state(path)
            if before:
                yield before, inner
def held():
    paths = set()
    for process in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if process.isdigit() and int(process) != os.getpid():
            try:
                for descriptor in os.listdir("/proc/%s/fd" % process):
                    paths.add(os.readlink("/proc/%s/fd/%s" % (process, descriptor)))
            except OSError:
                pass
    return paths
with zipfile.ZipFile(os.path.join(out, part), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
    packed, total = [], 0
    for before, inner in sorted(found()):
        if total + before[0] > most or len(packed) >= most_files:
            break
        digest, size, entry = hashlib.sha256(), 0, str(len(packed))
        with open(os.path.join(out, inner), "rb") as source, archive.open(entry, "w") as target:
            while size <= before[0]:
                chunk = source.read(1 << 20)
                if not chunk:
                    break
                digest.update(chunk)
                target.write(chunk)
                size += len(chunk)
        total += size
        packed.append((before, {"path": inner, "size": size, "sha256": digest.hexdigest(), "entry": entry}))
    open_elsewhere = held()
    files = [
        file for before, file in packed
        if file["size"] == before[0] and state(os.path.join(out, file["path"])) == before
        and os.path.join(out, file["path"]) not in open_elsewhere
    ]
    archive.writestr("${archiveManifest}", json.dumps({"version": 1, "files": files}))
os.replace(os.path.join(out, part), os.path.join(out, name))
`;
