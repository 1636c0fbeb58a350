"""CTC losses and their gradients by the logits, by PyTorch in float64.

    python3 tests/train/golden/ctc.py > tests/train/golden/ctc.json
"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(4)
cases = []
for steps, classes, blank, rows in [
    (8, 5, 0, [[1, 2, 2, 4], [3, 3], []]),
    (6, 4, 3, [[0, 1, 0], [2, 2, 2]]),
    (40, 9, 0, [[5, 5, 1, 8, 3, 2, 2, 7], [4]]),
]:
    # Far from even, so that states differ by many orders of magnitude.
    logits = (6 * torch.randn(len(rows), steps, classes, dtype=torch.float64)).round(decimals=3).requires_grad_(True)
    losses = F.ctc_loss(
        F.log_softmax(logits, 2).transpose(0, 1),
        torch.tensor([label for row in rows for label in row]),
        torch.full((len(rows),), steps),
        torch.tensor([len(row) for row in rows]),
        blank=blank,
        reduction="none",
    )
    losses.sum().backward()
    length = max(map(len, rows))
    cases.append(
        {
            "blank": blank,
            "dims": list(logits.shape),
            "logits": logits.flatten().tolist(),
            "labels": [row + [blank] * (length - len(row)) for row in rows],
            "losses": losses.tolist(),
            "gradient": [float(f"{g:.12g}") for g in logits.grad.flatten().tolist()],
        }
    )
print(json.dumps(cases))
