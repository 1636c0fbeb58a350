"""Writes schedules.json: learning rates of torch.optim.lr_scheduler, one for each update.

    python3 tests/train/golden/schedules.py > tests/train/golden/schedules.json
"""
import json
import torch
from torch.optim import lr_scheduler as ls

UPDATES = 20


def rates(make, base=0.4, metrics=None):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = make(optimizer)
    found = []
    for i in range(UPDATES):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([metrics[i]] if metrics else []))
    return found


metrics = [1.0, 0.8, 0.81, 0.7999, 0.82, 0.5, 0.6, 0.6, 0.6, 0.6, 0.49999, 0.7, 0.4, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]
print(
    json.dumps(
        {
            "updates": UPDATES,
            "metrics": metrics,
            "stepwise": rates(lambda o: ls.MultiStepLR(o, [10, 15], gamma=0.1)),
            "cosine": rates(lambda o: ls.CosineAnnealingLR(o, UPDATES, eta_min=0.01)),
            "oneCycle": rates(lambda o: ls.OneCycleLR(o, max_lr=0.4, total_steps=UPDATES + 1)),
            "warmup": rates(
                lambda o: ls.SequentialLR(
                    o,
                    [
                        ls.LinearLR(o, start_factor=0.1, total_iters=5),
                        ls.CosineAnnealingLR(o, UPDATES - 5, eta_min=0),
                    ],
                    [5],
                )
            ),
            "plateau": rates(
                lambda o: ls.ReduceLROnPlateau(o, factor=0.5, patience=2, min_lr=0.06), metrics=metrics
            ),
        }
    )
)
