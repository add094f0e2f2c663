"""Hands the files of one folder over through standard output, in checked pieces, or removes a run's folder.

Runs inside the evaluation image, which has Python but nothing of ours. Protocol: see collector-protocol.ts.
"""
import base64
import hashlib
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


def reason_to_skip(entry):
    name = entry.name
    if entry.is_symlink():
        return "link"
    if entry.is_dir(follow_symlinks=False):
        return "cache-folder" if b"cache" in name.lower() else None
    if not entry.is_file(follow_symlinks=False):
        return "not-a-file"
    if name.endswith(b".db"):
        return "database-of-a-cache"
    return "lock-file" if name.endswith(b".lock") else None


def walk(root):
    files, skipped, pending = [], [], [(b"", 0)]
    while pending:
        folder, depth = pending.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                reason = reason_to_skip(entry)
                if reason is None and entry.is_dir(follow_symlinks=False) and depth >= DEEPEST:
                    reason = "nested-too-deep"
                if reason is not None:
                    skipped.append((path, reason))
                elif entry.is_dir(follow_symlinks=False):
                    pending.append((path, depth + 1))
                else:
                    files.append(path)
    files.sort(key=lambda path: (FIRST.index(path) if path in FIRST else len(FIRST), path))
    return files, sorted(skipped)


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


def collect():
    root = os.fsencode(os.environ["EVALSAGA_COLLECT_FOLDER"])
    begin, limit = int(os.environ["EVALSAGA_COLLECT_FROM"]), int(os.environ["EVALSAGA_COLLECT_MAX_BYTES"])
    if not os.path.isdir(root):
        say("missing")
        return
    files, skipped = walk(root)
    sizes = []
    for index, path in enumerate(files):
        size, digest = measure(os.path.join(root, path))
        sizes.append(size)
        say("file", index, size, digest, text(path))
    for path, reason in skipped:
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


def remove():
    root, name = os.environ["EVALSAGA_COLLECT_FOLDER"], os.environ["EVALSAGA_REMOVE"]
    if not re.fullmatch(r"[0-9a-f]{16}(/[A-Za-z0-9][A-Za-z0-9._-]*)?", name):
        sys.exit("refused: %r is not the folder of a run" % name)
    run, path = os.path.join(root, name.split("/")[0]), os.path.join(root, name)
    if os.path.islink(run) or os.path.islink(path):
        sys.exit("refused: %r is a link" % name)
    if os.path.lexists(path):
        try:
            shutil.rmtree(path)
        except RecursionError:  # nested deeper than Python's stack
            subprocess.run(["rm", "-rf", "--", path], check=True)
    say("removed")


{"collect": collect, "remove": remove}[os.environ["EVALSAGA_COLLECTOR"]]()
sys.stdout.flush()
