"""Prints what W&B's client has written in offline mode, by the runs' ids, as JSON."""

import glob
import json
import os
import struct
import sys

from wandb.proto import wandb_internal_pb2


def records(file):
    """The file is a log in LevelDB's format: blocks of 32 KiB, and records in parts (1 whole, 2 first, 3 middle, 4 last)."""
    data = open(file, "rb").read()
    assert data[:4] == b":W&B"
    at, whole = 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


def read(file):
    found = {"metrics": {}, "config": {}, "files": []}
    for record in records(file):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            found.update(project=run.project, entity=run.entity, group=run.run_group, tags=list(run.tags))
            found["config"].update({item.key: json.loads(item.value_json) for item in run.config.update})
        elif kind == "summary":
            for item in record.summary.update:
                found["metrics"]["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
        elif kind == "history":
            for item in record.history.item:
                found["metrics"]["/".join(item.nested_key) or item.key] = json.loads(item.value_json)
        elif kind in ("artifact",):
            found["files"] += [entry.path for entry in record.artifact.manifest.contents]
        elif kind == "request" and record.request.WhichOneof("request_type") == "log_artifact":
            found["files"] += [entry.path for entry in record.request.log_artifact.artifact.manifest.contents]
    return found


files = glob.glob(os.path.join(sys.argv[1], "offline-run-*", "run-*.wandb"))
print(json.dumps({os.path.basename(file)[len("run-"):-len(".wandb")]: read(file) for file in files}))
