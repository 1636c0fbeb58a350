"""Writes reference.safetensors with the reference implementation.

pip install torch safetensors && python tests/weights/golden/make.py
"""
import math
import pathlib

import torch
from safetensors.torch import save_file

tensors = {
    "float32": torch.tensor([[1.5, -2, 0.25], [3, 4, -0.5]]),
    "float16": torch.tensor([1.5, -65504], dtype=torch.float16),
    "bfloat16": torch.tensor([1.5, torch.finfo(torch.bfloat16).min], dtype=torch.bfloat16),
    "float64": torch.tensor([math.pi], dtype=torch.float64),
    "int64": torch.tensor([-1, 2**40]),
    "int32": torch.tensor([-7], dtype=torch.int32),
    "int16": torch.tensor([-300], dtype=torch.int16),
    "int8": torch.tensor([-128, 127], dtype=torch.int8),
    "uint8": torch.tensor([255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "float8e4m3fn": torch.tensor([1.0, -2.0]).to(torch.float8_e4m3fn),
    "float8e5m2": torch.tensor([1.0, -2.0]).to(torch.float8_e5m2),
    "scalar": torch.tensor(7.0),
    "empty": torch.zeros(0, 3),
}
path = pathlib.Path(__file__).parent / "reference.safetensors"
save_file(tensors, path, metadata={"format": "pt", "note": "größe"})
