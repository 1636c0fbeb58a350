"""Times training steps of PyTorch eager for bench/train.ts.

Reads one JSON request a line, {"model": name, "steps": count, "cpu": whether to count processor time}, and answers each with a line {"ms": milliseconds for
one step, the mean}. Models and optimizers are those of the benchmark; they are made at the first request. The number
of threads comes from the first argument.
"""

import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

torch.set_num_threads(int(sys.argv[1]))


def conv(cin, cout, kernel, stride, rank=None):
    if rank is None or cin < 16:
        return nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(
        nn.Conv2d(cin, rank, (1, 3), (1, stride), (0, 1), bias=False),
        nn.Conv2d(rank, cout, (3, 1), (stride, 1), (1, 0), bias=False),
    )


class BasicBlock(nn.Module):
    def __init__(self, cin, cout, stride, fraction):
        super().__init__()
        rank = None if fraction is None else max(1, round(cout * fraction))
        self.conv1, self.bn1 = conv(cin, cout, 3, stride, rank), nn.BatchNorm2d(cout)
        self.conv2, self.bn2 = conv(cout, cout, 3, 1, rank), nn.BatchNorm2d(cout)
        self.shortcut = nn.Identity()
        if stride != 1:
            self.shortcut = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x), inplace=True)


class ResNet20(nn.Module):
    def __init__(self, fraction=None):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        blocks, cin = [], 16
        for stage, cout in enumerate((16, 32, 64)):
            for i in range(3):
                blocks.append(BasicBlock(cin, cout, 2 if stage > 0 and i == 0 else 1, fraction))
                cin = cout
        self.blocks, self.linear = nn.Sequential(*blocks), nn.Linear(64, 10)

    def forward(self, x):
        x = self.blocks(F.relu(self.bn1(self.conv1(x)), inplace=True))
        return self.linear(x.mean((2, 3)))


class Block(nn.Module):
    def __init__(self, features, heads, hidden, causal):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.norm1, self.norm2 = nn.LayerNorm(features), nn.LayerNorm(features)
        self.qkv, self.proj = nn.Linear(features, 3 * features), nn.Linear(features, features)
        self.fc1, self.fc2 = nn.Linear(features, hidden), nn.Linear(hidden, features)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        x = x + self.proj(y.transpose(1, 2).reshape(b, t, d))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x)), approximate="tanh" if self.causal else "none"))


class ViT(nn.Module):
    def __init__(self, features, depth, heads, hidden):
        super().__init__()
        self.patch = nn.Conv2d(3, features, 4, 4)
        self.position = nn.Parameter(torch.randn(1, 64, features) * 0.02)
        self.blocks = nn.Sequential(*[Block(features, heads, hidden, False) for _ in range(depth)])
        self.norm, self.head = nn.LayerNorm(features), nn.Linear(features, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(x).mean(1)))


class GPT(nn.Module):
    def __init__(self, vocabulary, features, depth, heads, tokens):
        super().__init__()
        self.words, self.positions = nn.Embedding(vocabulary, features), nn.Embedding(tokens, features)
        self.blocks = nn.Sequential(*[Block(features, heads, 4 * features, True) for _ in range(depth)])
        self.norm = nn.LayerNorm(features)

    def forward(self, ids):
        x = self.words(ids) + self.positions(torch.arange(ids.shape[1]))
        return self.norm(self.blocks(x)) @ self.words.weight.T


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01, momentum=0.9, weight_decay=5e-4)


def adamw(parameters):
    return torch.optim.AdamW(parameters, lr=3e-4)


def images(batch):
    return torch.randn(batch, 3, 32, 32), torch.randint(0, 10, (batch,))


def mlp():
    return nn.Sequential(nn.Linear(784, 1024), nn.ReLU(), nn.Linear(1024, 1024), nn.ReLU(), nn.Linear(1024, 10))


def text(batch, tokens):
    return torch.randint(0, 256, (batch, tokens)), torch.randint(0, 256, (batch, tokens))


MODELS = {
    "resnet20-b128": (ResNet20, sgd, lambda: images(128)),
    "resnet20-b32": (ResNet20, sgd, lambda: images(32)),
    "resnet20-lowrank-b128": (lambda: ResNet20(0.25), sgd, lambda: images(128)),
    "vit-b64": (lambda: ViT(256, 6, 4, 512), adamw, lambda: images(64)),
    "mlp-b128": (mlp, sgd, lambda: (torch.randn(128, 784), torch.randint(0, 10, (128,)))),
    "gpt-b16": (lambda: GPT(256, 192, 4, 6, 128), adamw, lambda: text(16, 128)),
}
made = {}


def prepare(name):
    build, optimizer, data = MODELS[name]
    model = build().train()
    return model, optimizer(model.parameters()), *data()


def step(model, optimizer, x, y):
    optimizer.zero_grad()
    logits = model(x)
    loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), y.reshape(-1))
    loss.backward()
    optimizer.step()


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    if request["model"] not in made:
        made.clear()
        made[request["model"]] = prepare(request["model"])
    state = made[request["model"]]
    clock = time.process_time if request["cpu"] else time.perf_counter
    start = clock()
    for _ in range(request["steps"]):
        step(*state)
    print(json.dumps({"ms": (clock() - start) * 1e3 / request["steps"]}), flush=True)
