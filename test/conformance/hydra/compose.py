"""Composes configs with the real Hydra and OmegaConf: one JSON case per line on stdin, one JSON answer per line on stdout.

Case: {"files": {path: text}, "name": config name, "overrides": [...], "env": {...}, "presets": folder}.
Answer: {"value": tree} or {"error": text}. Scalars carry their type: {"i": "5"}, {"f": "0.5"}, {"s": "x"}, true, null.
"""
import json
import os
import pathlib
import shutil
import sys
import tempfile
import warnings

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

warnings.simplefilter("ignore")


def select_not_null(key, default, *, _root_):
    value = OmegaConf.select(_root_, key)
    return default if value is None else value


OmegaConf.register_new_resolver("select_not_null", select_not_null, use_cache=False)


def encode(value):
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": repr(value)}
    if isinstance(value, str):
        return {"s": value}
    if isinstance(value, dict):
        return {"m": [[str(key), encode(child)] for key, child in value.items()]}
    if isinstance(value, list):
        return {"l": [encode(child) for child in value]}
    raise TypeError(type(value).__name__)


def run(case, folder):
    for name, text in case["files"].items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode("utf-8"))
    GlobalHydra.instance().clear()
    with initialize_config_dir(config_dir=str(folder), version_base=None):
        overrides = list(case["overrides"])
        if case.get("presets"):
            overrides.append(f"hydra.searchpath=['file://{case['presets']}']")
        config = compose(config_name=case["name"], overrides=overrides)
    OmegaConf.resolve(config)
    return OmegaConf.to_container(config, resolve=False, throw_on_missing=False)


def main():
    base = dict(os.environ)
    for line in sys.stdin:
        case = json.loads(line)
        os.environ.clear()
        os.environ.update(base)
        os.environ.update(case.get("env", {}))
        folder = pathlib.Path(tempfile.mkdtemp(prefix="hydra-case-"))
        try:
            answer = {"value": encode(run(case, folder))}
        except Exception as error:  # the answer is that it is refused, whatever the reason
            answer = {"error": f"{type(error).__name__}: {error}"[:500]}
        except RecursionError as error:
            answer = {"error": f"RecursionError: {error}"[:200]}
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(json.dumps(answer), flush=True)


main()
