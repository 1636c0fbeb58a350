"""Writes optimizers.json: trajectories of torch.optim in float64 on a small network.

    python3 tests/train/golden/optimizers.py > tests/train/golden/optimizers.json
"""
import json
import torch

torch.manual_seed(0)
torch.set_default_dtype(torch.float64)
STEPS = 6
RATES = [0.1, 0.1, 0.05, 0.05, 0.02, 0.02]  # changes, so that the rate's place in the formula shows


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))


inputs = torch.randn(STEPS, 5, 3).round(decimals=3)
targets = torch.randn(STEPS, 5, 2).round(decimals=3)


def everything(net, **settings):
    return [{"params": list(net.parameters()), **settings}]


def two_groups(net, **settings):
    return [
        {"params": [net[0].weight], **settings},
        {"params": [net[0].bias], **settings, "weight_decay": 0},
        {"params": [net[2].weight], **settings, "scale": 0.5},
        {"params": [net[2].bias], **settings, "weight_decay": 0, "scale": 0.5},
    ]


def run(optimizer, groups=everything, clip_norm=None, clip_value=None, accumulation=1, rate=1.0, **settings):
    net = network()
    initial = {n: p.detach().clone().round(decimals=4) for n, p in net.named_parameters()}
    net.load_state_dict(initial)
    opt = optimizer(groups(net, lr=0.1, **settings))
    losses = []
    for i in range(STEPS):
        if i % accumulation == 0:
            opt.zero_grad()
        loss = torch.nn.functional.mse_loss(net(inputs[i]), targets[i])
        losses.append(loss.item())
        (loss / accumulation).backward()
        if i % accumulation < accumulation - 1:
            continue
        if clip_value is not None:
            torch.nn.utils.clip_grad_value_(net.parameters(), clip_value)
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip_norm)
        for group in opt.param_groups:
            group["lr"] = rate * RATES[i] * group.get("scale", 1)
        opt.step()
    return {
        "initial": flat(initial),
        "losses": losses,
        "final": flat({n: p.detach() for n, p in net.named_parameters()}),
    }


def flat(tensors):
    return {n: {"dims": list(t.shape), "data": t.flatten().tolist()} for n, t in tensors.items()}


optim = torch.optim
cases = {
    "sgd": run(optim.SGD),
    "sgd, weight decay": run(optim.SGD, weight_decay=0.1),
    "sgd, momentum": run(optim.SGD, momentum=0.9, weight_decay=0.1),
    "sgd, dampening": run(optim.SGD, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "sgd, nesterov": run(optim.SGD, momentum=0.9, nesterov=True, weight_decay=0.1),
    "sgd, groups": run(optim.SGD, two_groups, momentum=0.9, weight_decay=0.1),
    "sgd, clipped by norm": run(optim.SGD, clip_norm=0.5, momentum=0.9),
    "sgd, clipped by value": run(optim.SGD, clip_value=0.05, momentum=0.9),
    "sgd, accumulation": run(optim.SGD, accumulation=2, momentum=0.9, weight_decay=0.1),
    "adam": run(optim.Adam, weight_decay=0.1, rate=0.1),
    "adam, betas": run(optim.Adam, betas=(0.8, 0.95), eps=1e-6, rate=0.1),
    "adamw": run(optim.AdamW, weight_decay=0.1, rate=0.1),
    "adamw, groups": run(optim.AdamW, two_groups, weight_decay=0.1, rate=0.1),
}
print(json.dumps({"rates": RATES, "inputs": inputs.tolist(), "targets": targets.tolist(), "cases": cases}))
