"""Losses and gradients of distillation as PyTorch computes them: python distillation.py > distillation.json"""

import json

import torch
import torch.nn.functional as F

torch.manual_seed(0)
cases = []
for temperature, alpha, batch, classes in [(1.0, 1.0, 3, 4), (4.0, 0.9, 5, 3), (2.5, 0.3, 4, 6)]:
    student = torch.randn(batch, classes, dtype=torch.float64).mul(3).requires_grad_()
    teacher = torch.randn(batch, classes, dtype=torch.float64) * 3
    labels = torch.randint(classes, (batch,))
    divergence = temperature**2 * F.kl_div(
        F.log_softmax(student / temperature, 1), F.softmax(teacher / temperature, 1), reduction="batchmean"
    )
    loss = (1 - alpha) * F.cross_entropy(student, labels) + alpha * divergence
    loss.backward()
    cases.append(
        dict(
            temperature=temperature,
            alpha=alpha,
            student=student.tolist(),
            teacher=teacher.tolist(),
            labels=labels.tolist(),
            divergence=divergence.item(),
            loss=loss.item(),
            gradient=student.grad.tolist(),
        )
    )
print(json.dumps(cases))
