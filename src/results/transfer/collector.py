"""Hands the files of one folder over through standard output, in checked pieces, or removes a run's folder.

Runs inside the evaluation image, which has Python but nothing of ours. Protocol: see collector-protocol.ts.
"""
import base64
import fnmatch
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zlib

MARK = "@evalsaga1"
PIECE = 6144  # bytes before base64: a line stays below what log systems split
DEEPEST = 32
MOST_FILES = 50000
OWN = [b".evalsaga_results.zip", b".evalsaga_results.zip.part"]  # holds the other files once more
FIRST = [
    b"results.yml",
    b".evalsaga_interrupted",
    b".nemo_evaluator_interrupted",
    b"evalsaga_notes.json",
    b"eval_factory_metrics.json",
    b"run_config.yml",
    b"metadata.yaml",
]


def say(*words):
    sys.stdout.write(" ".join((MARK,) + tuple(str(word) for word in words)) + "\n")


def text(data):
    return base64.b64encode(data).decode("ascii")


def is_skipped(name, is_folder, patterns):
    name = name.decode("utf-8", "surrogateescape")
    return any(
        pattern.endswith("/") == is_folder and fnmatch.fnmatchcase(name, literal(pattern.rstrip("/")))
        for pattern in patterns
    )


def literal(pattern):
    """Only the star means more than itself."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def reason_to_skip(entry, root, patterns):
    if entry.is_symlink():
        # What it leads to comes home by itself, or is not the job's.
        target = os.path.realpath(entry.path)
        within = target == root or target.startswith(root + b"/")
        return "link" if within or not os.path.exists(target) else "link-out-of-the-folder"
    is_folder = entry.is_dir(follow_symlinks=False)
    if not is_folder and not entry.is_file(follow_symlinks=False):
        return "not-a-file"
    return "by-execution.skip_results" if is_skipped(entry.name, is_folder, patterns) else None


def walk(root, patterns):
    files, skipped, pending = [], [], [(b"", 0)]
    real = os.path.realpath(root)
    while pending:
        folder, depth = pending.pop()
        try:
            with os.scandir(os.path.join(root, folder)) as found:
                entries = list(found)
        except OSError:
            if folder == b"":
                raise
            skipped.append((folder, "unreadable"))
            continue
        for entry in entries:
            if folder == b"" and entry.name in OWN:
                continue
            path = os.path.join(folder, entry.name)
            reason = reason_to_skip(entry, real, patterns)
            if reason is None and entry.is_dir(follow_symlinks=False) and depth >= DEEPEST:
                reason = "nested-more-than-%d-deep" % DEEPEST
            if reason is not None:
                skipped.append((path, reason))
            elif entry.is_dir(follow_symlinks=False):
                pending.append((path, depth + 1))
            else:
                files.append((path, entry.stat(follow_symlinks=False).st_size))
    return files, skipped


def in_order(files):
    """Scores first, then small files: what doesn't fit is what is large."""
    return sorted(files, key=lambda file: (FIRST.index(file[0]) if file[0] in FIRST else len(FIRST), file[1], file[0]))


def fitting(files, limit):
    """The files to send, and those that are left: each before it is read, as they may be huge."""
    sent, left, total = [], [], 0
    for path, size in in_order(files):
        if total + size > limit:
            left.append((path, "beyond-the-limit"))
        elif len(sent) >= MOST_FILES:
            left.append((path, "more-than-%d-files" % MOST_FILES))
        else:
            sent.append(path)
            total += size
    return sent, left


def chunks(path):
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError("not a file any more")
        while True:
            chunk = file.read(1 << 20)
            if not chunk:
                return
            yield chunk


def measure(path):
    digest, size = hashlib.sha256(), 0
    for chunk in chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return size, digest.hexdigest()


def send(index, path):
    packer, waiting, offset = zlib.compressobj(6), b"", 0

    def flush(data, everything):
        nonlocal offset
        while len(data) >= PIECE or (everything and data):
            piece, data = data[:PIECE], data[PIECE:]
            say("piece", index, offset, "%08x" % zlib.crc32(piece), text(piece))
            offset += len(piece)
        return data

    for chunk in chunks(path):
        waiting = flush(waiting + packer.compress(chunk), False)
    flush(waiting + packer.flush(), True)
    say("done", index, offset)


def is_missing(path):
    """Whether neither the path nor the listing above it knows of it; any other trouble with the mount ends the job."""
    try:
        os.stat(path)
        return False
    except FileNotFoundError:
        above, name = os.path.split(path)
        try:
            return name not in os.listdir(above)
        except FileNotFoundError:
            return is_missing(above)


def collect():
    root = os.fsencode(os.environ["EVALSAGA_COLLECT_FOLDER"])
    begin, limit = int(os.environ["EVALSAGA_COLLECT_FROM"]), int(os.environ["EVALSAGA_COLLECT_MAX_BYTES"])
    if is_missing(root):
        say("missing")
        return
    found, skipped = walk(root, json.loads(os.environ["EVALSAGA_COLLECT_SKIP"]))
    fit, left = fitting(found, limit)
    files, sizes = [], []
    for path in fit:
        try:
            size, digest = measure(os.path.join(root, path))
        except OSError:
            left.append((path, "unreadable"))
            continue
        say("file", len(files), size, digest, text(path))
        files.append(path)
        sizes.append(size)
    for path, reason in sorted(skipped + left)[:MOST_FILES]:
        say("skipped", reason, text(path))
    say("total", len(files), sum(sizes))
    sent = 0
    for index, path in enumerate(files):
        sent += sizes[index]
        if sent > limit:
            say("beyond", index, sum(sizes))
            break
        if index >= begin:
            send(index, os.path.join(root, path))
    say("end")


def unexpected(path, expected):
    return [name for name in sorted(os.listdir(path)) if name not in expected and holds_files(os.path.join(path, name))]


def holds_files(path):
    """Whether it is a file, or a folder with any: a mount inside the run's own leaves an empty folder."""
    if os.path.islink(path) or not os.path.isdir(path):
        return True
    try:
        return any(
            files or any(os.path.islink(os.path.join(folder, name)) for name in folders)
            for folder, folders, files in os.walk(path)
        )
    except RecursionError:  # nested deeper than Python's stack
        return True


def remove():
    root, name = os.environ["EVALSAGA_COLLECT_FOLDER"], os.environ["EVALSAGA_REMOVE"]
    if not re.fullmatch(r"[0-9a-f]{16}(/[A-Za-z0-9][A-Za-z0-9._-]*)?", name):
        sys.exit("refused: %r is not the folder of a run" % name)
    run, path = os.path.join(root, name.split("/")[0]), os.path.join(root, name)
    if os.path.islink(run) or os.path.islink(path):
        sys.exit("refused: %r is a link" % name)
    if os.path.lexists(path):
        tasks = [entry for entry in sorted(os.listdir(path)) if re.match(r"[0-9]+-", entry)]
        if os.environ.get("EVALSAGA_REMOVE_UNLESS_TASKS") and tasks:
            sys.exit("refused: %r holds %r, which has not come home" % (name, tasks[0]))
        allowed = os.environ.get("EVALSAGA_REMOVE_EXPECTED")
        others = [] if allowed is None else unexpected(path, json.loads(allowed))
        if others:
            say("holds", len(others), *[text(os.fsencode(name)) for name in others[:3]])
            sys.stdout.flush()
            sys.exit("refused: %r holds %r, which has not come home" % (name, others[0]))
        try:
            shutil.rmtree(path)
        except RecursionError:  # nested deeper than Python's stack
            subprocess.run(["rm", "-rf", "--", path], check=True)
    say("removed")


{"collect": collect, "remove": remove}[os.environ["EVALSAGA_COLLECTOR"]]()
sys.stdout.flush()
