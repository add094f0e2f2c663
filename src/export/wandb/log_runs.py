"""Logs runs with W&B's own client. Reads one JSON document from stdin; prints one JSON line per run, or one with the error."""

import glob
import json
import os
import shutil
import sys


def main() -> int:
    request = json.load(sys.stdin)
    import wandb

    # Whatever the client prints must not get between the lines of the answer.
    answer, sys.stdout = sys.stdout, sys.stderr
    try:
        for item in request["runs"]:
            url = log_run(wandb, item, request)
            print(json.dumps({"id": item["init"]["id"], "url": url}), file=answer, flush=True)
        return 0
    except Exception as error:  # The caller decides what to do about it.
        name = type(error).__name__
        refused = ("AuthenticationError", "UsageError", "ValueError", "PermissionError")
        print(json.dumps({"error": f"{name}: {error}", "lasting": name in refused}), file=answer, flush=True)
        return 1


def log_run(wandb, item, request):
    init = item["init"]
    folder = request["folder"]
    if os.environ.get("WANDB_MODE") == "offline":
        # The client can't continue a run without its server: the earlier one is replaced.
        for old in glob.glob(os.path.join(folder, "wandb", f"offline-run-*-{glob.escape(init['id'])}")):
            shutil.rmtree(old)
    settings = wandb.Settings(console="off", disable_git=True, disable_code=True, x_disable_stats=True, silent=True)
    run = wandb.init(**init, dir=folder, resume="allow", allow_val_change=True, settings=settings)
    try:
        artifact = wandb.Artifact(**item["artifact"])
        for file in item["files"]:
            artifact.add_file(file["file"], name=file["name"])
        if item["files"]:
            run.log_artifact(artifact)
        # A step that is there already is not logged again.
        run.log(item["metrics"], step=item["step"])
        run.summary.update(item["metrics"])
    finally:
        run.finish()
    return run.url


sys.exit(main())
