"""Gradients of a small convolutional network and of an attention block, by PyTorch in float64.

    python3 tests/autodiff/golden/gradients.py > tests/autodiff/golden/gradients.json

Parameters and inputs follow from `fill`, so that only gradients need to be stored.
"""

import json
import math

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
values = {}


def fill(name, *dims, scale=0.5, offset=0.0):
    """offset + scale * sin(1.7 * i + the number of values so far), i counting the elements."""
    size = math.prod(dims)
    start = len(values)
    data = [offset + scale * math.sin(1.7 * i + start) for i in range(size)]
    values[name] = torch.tensor(data).reshape(dims).requires_grad_(True)
    return values[name]


def conv_net():
    x = fill("x", 3, 2, 8, 8, scale=1.0)
    y = F.conv2d(x, fill("conv1", 4, 2, 3, 3), fill("bias1", 4), stride=2, padding=1)  # 4 × 4
    y = F.batch_norm(y, None, None, fill("gamma", 4, offset=1.0), fill("beta", 4), training=True, eps=1e-3)
    y = F.relu(y)
    y = F.conv2d(y, fill("depthwise", 4, 1, 3, 3), padding=2, dilation=2, groups=4)
    y = F.gelu(y)
    y = F.max_pool2d(y, 3, stride=1, padding=1)
    y = F.conv_transpose2d(y, fill("transposed", 4, 2, 2, 2), stride=2)  # 8 × 8
    y = F.instance_norm(y, weight=fill("scale", 2, offset=1.0), bias=fill("shift", 2), eps=1e-3)
    y = F.avg_pool2d(y, 2).flatten(1)
    logits = F.linear(y, fill("fc", 5, 32), fill("fcBias", 5))
    labels = torch.tensor([3, -100, 1])
    return F.cross_entropy(logits, labels, label_smoothing=0.1, ignore_index=-100)


def attention_block():
    tokens = torch.tensor([[1, 4, 2], [0, 2, 2]])
    x = F.embedding(tokens, fill("table", 5, 4, scale=1.0))  # (batch, length, width)
    h = F.layer_norm(x, [4], fill("normScale", 4, offset=1.0), fill("normShift", 4), eps=1e-3)
    q, k, v = F.linear(h, fill("qkv", 12, 4), fill("qkvBias", 12)).split(4, dim=-1)
    heads = lambda t: t.reshape(2, 3, 2, 2).transpose(1, 2)
    scores = heads(q) @ heads(k).transpose(-1, -2) / math.sqrt(2)
    causal = torch.triu(torch.full((3, 3), -1e4), diagonal=1)
    mixed = (torch.softmax(scores + causal, -1) @ heads(v)).transpose(1, 2).reshape(2, 3, 4)
    x = x + F.linear(mixed, fill("out", 4, 4))
    x = x + F.linear(F.gelu(F.linear(x, fill("up", 8, 4)), approximate="tanh"), fill("down", 4, 8))
    target = fill("target", 2, 3, 4)
    cosine = 1 - F.cosine_similarity(x, target, dim=-1).mean()
    p, q = torch.log_softmax(target / 2, -1), torch.log_softmax(x / 2, -1)
    divergence = 4 * (p.exp() * (p - q)).sum(-1).mean()
    return F.mse_loss(x, target) + cosine + divergence


def golden(build):
    values.clear()
    loss = build()
    loss.backward()
    gradients = {
        name: [float(f"{g:.6g}") for g in value.grad.flatten().tolist()] for name, value in values.items()
    }
    lines = ",\n".join(f'      "{name}": {json.dumps(g)}' for name, g in gradients.items())
    return f'{{\n    "loss": {loss.item():.8g},\n    "gradients": {{\n{lines}\n    }}\n  }}'


print(f'{{\n  "convNet": {golden(conv_net)},\n  "attentionBlock": {golden(attention_block)}\n}}')
