"""Writes the tokenizer that GGUF weights hold as a folder that transformers' AutoTokenizer loads.

Usage: gguf_tokenizer.py WEIGHTS.gguf FOLDER

Covers byte-level BPE vocabularies with the pre-tokenizers below; ends with status 3 for any other.
"""

import json
import sys
from pathlib import Path

from gguf import GGUFReader

UNSUPPORTED = 3
# Token types of the GGUF format that are matched before the text is split.
CONTROL, USER_DEFINED = 3, 4

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def split_by(pattern: str) -> list:
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return [split, {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
PRE_TOKENIZERS = {
    "gpt-2": [BYTE_LEVEL],
    "smollm": [{"type": "Digits", "individual_digits": True}, BYTE_LEVEL],
    "llama-bpe": split_by(WORDS % r"\p{N}{1,3}"),
    "qwen2": split_by(WORDS % r"\p{N}"),
}


def main(weights: str, folder: Path) -> None:
    fields = GGUFReader(weights).fields

    def value(name: str, default=None):
        field = fields.get(f"tokenizer.{name}")
        return default if field is None else field.contents()

    model, pre = value("ggml.model"), value("ggml.pre", "gpt-2")
    if model != "gpt2" or pre not in PRE_TOKENIZERS:
        print(f"no tokenizer folder can be made for vocabulary {model!r} with pre-tokenizer {pre!r}", file=sys.stderr)
        sys.exit(UNSUPPORTED)

    tokens, types = value("ggml.tokens"), value("ggml.token_type")
    merges = [merge.split(" ") for merge in value("ggml.merges")]
    added = [
        {
            "id": i,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": kind == CONTROL,
        }
        for i, (token, kind) in enumerate(zip(tokens, types))
        if kind in (CONTROL, USER_DEFINED)
    ]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": PRE_TOKENIZERS[pre]},
        "post_processor": begin_token(tokens, value("ggml.bos_token_id")) if value("ggml.add_bos_token") else None,
        "decoder": BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "vocab": {token: i for i, token in enumerate(tokens)},
            "merges": merges,
            "ignore_merges": pre == "llama-bpe",
            "byte_fallback": False,
        },
    }

    def token_named(name: str):
        i = value(f"ggml.{name}_token_id")
        return None if i is None else tokens[i]

    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "bos_token": token_named("bos"),
        "eos_token": token_named("eos"),
        "pad_token": token_named("padding") or token_named("eos"),
        "chat_template": value("chat_template"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, ensure_ascii=False), encoding="utf-8")


def begin_token(tokens: list, i: int) -> dict:
    special = {"SpecialToken": {"id": tokens[i], "type_id": 0}}
    sequence = {"Sequence": {"id": "A", "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [special, sequence],
        "pair": [special, sequence, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {tokens[i]: {"id": tokens[i], "ids": [i], "tokens": [tokens[i]]}},
    }


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
