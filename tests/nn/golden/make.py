"""Writes models.json, layers.json and the .safetensors files: what PyTorch, torchvision, timm and transformers compute.

    pip install torch torchvision timm transformers && python tests/nn/golden/make.py

Weights and inputs are not stored: both sides compute them from the tensor's name and shape (`tensor` here, `fill` in
fill.ts), so that full-size models can be compared. Stored are the names of the state dict and the outputs.
"""
import json
import math
import pathlib
import shutil
import tempfile

import numpy as np
import timm
import torch
import torchvision
import transformers
from torch import nn
from torch.nn import functional as F

HERE = pathlib.Path(__file__).parent
torch.set_grad_enabled(False)
torch.set_num_threads(1)


def words(name: str, size: int) -> np.ndarray:
    """Pseudo-random 32-bit words: the hash of the name and the index, mixed."""
    seed = 0x811C9DC5
    for byte in name.encode():
        seed = ((seed ^ byte) * 0x01000193) & 0xFFFFFFFF
    x = np.arange(size, dtype=np.uint32) * np.uint32(0x9E3779B1) + np.uint32(seed)
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0x735A2D97)
    return x ^ (x >> np.uint32(15))


def tensor(name: str, shape) -> torch.Tensor:
    """Uniform values whose range suits the role that name and shape tell."""
    size = math.prod(shape)
    u = words(name, size).astype(np.float64) / 2**31 - 1
    if name.endswith("running_var"):
        values = 1 + 0.5 * u
    elif len(shape) == 1 and name.endswith("weight"):
        values = 1 + 0.2 * u
    elif len(shape) == 1:
        values = 0.2 * u
    else:
        values = u * math.sqrt(3 * shape[0] / size)
    return torch.from_numpy(values.astype(np.float32).reshape(shape))


def image(*shape) -> torch.Tensor:
    u = words("pixel_values", math.prod(shape)).astype(np.float64) / 2**31 - 1
    return torch.from_numpy((1.5 * u).astype(np.float32).reshape(shape))


def ids(name: str, shape, count: int) -> torch.Tensor:
    return torch.from_numpy((words(name, math.prod(shape)) % np.uint32(count)).astype(np.int64).reshape(shape))


def filled(model: nn.Module) -> nn.Module:
    model.eval()
    shared = {}
    for name, value in model.state_dict().items():
        if value.dtype == torch.float32 and value.data_ptr() not in shared:
            shared[value.data_ptr()] = name
            value.copy_(tensor(name, tuple(value.shape)))
    return model


def numbers(value: torch.Tensor):
    return {"dims": list(value.shape), "data": [float(f"{v:.8g}") for v in value.flatten().tolist()]}


class CifarBlock(nn.Module):
    def __init__(self, before, after, stride, option):
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.new = after - before
        self.stride = stride
        self.shortcut = nn.Sequential()
        if option == "B" and (stride > 1 or self.new > 0):
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        self.option = option

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.option == "A" and self.new > 0:
            skip = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new - self.new // 2))
        else:
            skip = self.shortcut(x)
        return F.relu(y + skip)


class CifarResNet(nn.Module):
    """Section 4.2 of the ResNet paper."""

    def __init__(self, depth, option):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        before = 16
        for stage, width in enumerate((16, 32, 64)):
            blocks = []
            for i in range((depth - 2) // 6):
                blocks.append(CifarBlock(before, width, 2 if stage and not i else 1, option))
                before = width
            setattr(self, f"layer{stage + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))


def vgg(depth_key, normalized, head):
    """torchvision's VGG at a sixteenth of its width."""
    layout = [v if v == "M" else v // 16 for v in torchvision.models.vgg.cfgs[depth_key]]
    model = torchvision.models.VGG(torchvision.models.vgg.make_layers(layout, normalized), init_weights=False)
    if head == "cifar":
        model.classifier = nn.Linear(32, 10)
        model.avgpool = nn.AdaptiveAvgPool2d((1, 1))
    else:
        model.classifier = nn.Sequential(
            nn.Linear(32 * 49, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 10)
        )
    return model


def models():
    def vision(model, size, channels=3):
        return model, {"pixel_values": image(2, channels, size, size)}, lambda m, i: {"logits": m(i["pixel_values"])}

    yield "cifar-resnet-20-pad", *vision(CifarResNet(20, "A"), 32)
    yield "cifar-resnet-20-conv", *vision(CifarResNet(20, "B"), 32)
    yield "resnet-18", *vision(torchvision.models.resnet18(num_classes=10), 64)
    yield "resnet-50", *vision(torchvision.models.resnet50(num_classes=10), 64)
    yield "vgg-11", *vision(vgg("A", False, "imagenet"), 32)
    yield "vgg-16-bn", *vision(vgg("D", True, "imagenet"), 224)
    yield "vgg-19-bn-cifar", *vision(vgg("E", True, "cifar"), 32)
    tiny = dict(img_size=32, patch_size=8, embed_dim=48, depth=2, num_heads=3, num_classes=10)
    yield "vit-token", *vision(timm.models.VisionTransformer(**tiny), 32)
    yield "vit-mean", *vision(timm.models.VisionTransformer(**tiny, class_token=False, global_pool="avg"), 32)

    small = dict(vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64)
    config = transformers.BertConfig(**small, max_position_embeddings=24, attn_implementation="eager")
    texts = {"input_ids": ids("input_ids", (2, 11), 97), "token_type_ids": ids("token_type_ids", (2, 11), 2)}
    texts["attention_mask"] = torch.tensor([[1] * 11, [1] * 7 + [0] * 4])
    fields = {
        "none": (transformers.BertModel, ["last_hidden_state", "pooler_output"]),
        "mlm": (transformers.BertForMaskedLM, ["logits"]),
        "span": (transformers.BertForQuestionAnswering, ["start_logits", "end_logits"]),
        "classification": (transformers.BertForSequenceClassification, ["logits"]),
    }
    for head, (kind, outputs) in fields.items():
        yield f"bert-{head}", kind(config), texts, lambda m, i, outputs=outputs: {k: m(**i)[k] for k in outputs}

    tokens = {"input_ids": ids("input_ids", (2, 13), 97)}
    logits = lambda m, i: {"logits": m(**i, use_cache=False).logits}
    gpt = transformers.GPT2Config(vocab_size=97, n_embd=32, n_layer=2, n_head=4, n_positions=24, attn_implementation="eager")
    yield "gpt2", transformers.GPT2LMHeadModel(gpt), tokens, logits
    phi = transformers.PhiConfig(**{**small, "hidden_size": 40, "num_attention_heads": 2}, partial_rotary_factor=0.4, attn_implementation="eager")
    yield "phi", transformers.PhiForCausalLM(phi), tokens, logits


def layers():
    """Single layers; state under the layer's own names, input `x`."""
    x = lambda *shape: tensor("x", shape) * 3
    training = lambda layer: layer.train()
    yield "linear", nn.Linear(6, 4), x(2, 3, 6)
    yield "conv1d", nn.Conv1d(4, 6, 3, stride=2, padding=3, dilation=2, groups=2), x(2, 4, 9)
    yield "conv2d", nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 0)), x(2, 3, 7, 6)
    yield "batch-norm", nn.BatchNorm2d(3), x(4, 3, 2, 2)
    yield "batch-norm-training", nn.BatchNorm2d(3), x(4, 3, 2, 2), training
    yield "layer-norm", nn.LayerNorm(6), x(2, 3, 6)
    yield "group-norm", nn.GroupNorm(2, 6), x(2, 6, 3, 2)
    yield "rms-norm", nn.RMSNorm(6, eps=1e-6), x(2, 3, 6)
    yield "max-pool", nn.MaxPool2d(3, 2, 1), x(1, 2, 5, 5)
    yield "average-pool", nn.AvgPool2d(3, 2, 1), x(1, 2, 5, 5)
    yield "relu", nn.ReLU(), x(2, 8)
    yield "gelu", nn.GELU(), x(2, 8)
    yield "gelu-tanh", nn.GELU("tanh"), x(2, 8)
    yield "silu", nn.SiLU(), x(2, 8)
    yield "tanh", nn.Tanh(), x(2, 8)
    yield "sigmoid", nn.Sigmoid(), x(2, 8)
    yield "elu", nn.ELU(), x(2, 8)
    yield "leaky-relu", nn.LeakyReLU(), x(2, 8)


def checkpoints():
    """Files as transformers saves them, with the outputs of the saved model."""
    torch.manual_seed(0)
    gpt = transformers.GPT2Config(vocab_size=61, n_embd=16, n_layer=1, n_head=2, n_positions=12)
    tokens = {"input_ids": ids("input_ids", (2, 9), 61)}
    yield "gpt2", transformers.GPT2LMHeadModel(gpt), tokens, lambda m, i: m(**i, use_cache=False).logits
    small = dict(vocab_size=61, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)
    config = transformers.BertConfig(**small, max_position_embeddings=12)
    texts = {**tokens, "token_type_ids": ids("token_type_ids", (2, 9), 2), "attention_mask": torch.ones(2, 9).long()}
    yield "bert-mlm", transformers.BertForMaskedLM(config), texts, lambda m, i: m(**i).logits


def main():
    golden = {}
    for name, model, inputs, call in checkpoints():
        model.eval()
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            shutil.copy(pathlib.Path(folder) / "model.safetensors", HERE / f"{name}.safetensors")
        golden[name] = numbers(call(model, inputs))
    (HERE / "checkpoints.json").write_text(json.dumps(golden) + "\n")
    golden = {}
    for name, model, inputs, call in models():
        filled(model)
        outputs = call(model, inputs)
        golden[name] = {
            "state": [k for k in model.state_dict() if not k.endswith("num_batches_tracked")],
            "inputs": {k: list(v.shape) for k, v in inputs.items()},
            "outputs": {k: numbers(v) for k, v in outputs.items()},
        }
    (HERE / "models.json").write_text(json.dumps(golden) + "\n")
    golden = {}
    for name, layer, x, *prepare in layers():
        filled(layer)
        for step in prepare:
            step(layer)
        golden[name] = {"x": list(x.shape), "y": numbers(layer(x))}
        if prepare:
            golden[name]["after"] = {k: numbers(v) for k, v in layer.state_dict().items() if k.startswith("running")}
    (HERE / "layers.json").write_text(json.dumps(golden) + "\n")


main()
