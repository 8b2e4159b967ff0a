"""Universal logit distillation's distance, against brute force and against its own gradient."""

from __future__ import annotations

import itertools

import pytest

torch = pytest.importorskip("torch", reason="the extra `distill` is not installed")

from pipecat_deescalate.models.lab.training.uld import uld_distance  # noqa: E402 - torch


def by_brute_force(student: list[float], teacher: list[float]) -> float:
    """The cheapest of all matchings of one distribution's probabilities with the other's."""
    width = max(len(student), len(teacher))
    ours = student + [0.0] * (width - len(student))
    theirs = teacher + [0.0] * (width - len(teacher))
    return min(
        sum(abs(p - q) for p, q in zip(ours, order, strict=True))
        for order in itertools.permutations(theirs)
    )


def reference(student: torch.Tensor, teacher: torch.Tensor) -> torch.Tensor:
    """The definition, in float64: sorted, padded, summed."""
    width = max(student.shape[-1], teacher.shape[-1])
    sides = []
    for logits in (student, teacher):
        p = logits.double().softmax(-1).sort(-1, descending=True).values
        sides.append(torch.nn.functional.pad(p, (0, width - p.shape[-1])))
    return (sides[0] - sides[1]).abs().sum(-1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("ours", "theirs"), [(2, 7), (7, 3), (6, 6), (1, 5)])
def test_it_is_the_cheapest_matching(ours: int, theirs: int, dtype: torch.dtype) -> None:
    """A sum over anything but sorted pairs would not be the Wasserstein distance."""
    torch.manual_seed(10 * ours + theirs)
    student = 2 * torch.randn(3, ours, dtype=dtype)
    teacher = 2 * torch.randn(3, theirs, dtype=dtype)
    found = uld_distance(student, teacher)
    for row in range(3):
        expected = by_brute_force(
            student[row].softmax(-1).tolist(), teacher[row].softmax(-1).tolist()
        )
        assert found[row].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("scale", [0.1, 1.0, 8.0, 60.0])
def test_the_fast_sort_agrees_with_the_definition(scale: float) -> None:
    """On a CPU values are sorted as bits of floats: flat, peaked and zero ones must all fit."""
    torch.manual_seed(1)
    student, teacher = scale * torch.randn(5, 3_001), scale * torch.randn(5, 2_750)
    expected = reference(student, teacher).float()
    torch.testing.assert_close(uld_distance(student, teacher), expected, atol=1e-5, rtol=0)


def test_its_gradient_is_right() -> None:
    """Finite differences in float64 know the gradient without knowing the sort."""
    torch.manual_seed(2)
    student = torch.randn(3, 9, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(3, 12, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda logits: uld_distance(logits, teacher), (student,))


def test_the_fast_gradient_is_that_of_the_definition() -> None:
    """The path that trains is float32; gradcheck saw the other one."""
    torch.manual_seed(3)
    student, teacher = torch.randn(4, 700, requires_grad=True), torch.randn(4, 900)
    (fast,) = torch.autograd.grad(uld_distance(student, teacher).sum(), student)
    (exact,) = torch.autograd.grad(reference(student, teacher).sum(), student)
    torch.testing.assert_close(fast, exact, atol=1e-6, rtol=1e-4)


def test_the_names_of_tokens_do_not_matter() -> None:
    """It compares vocabularies that share no token, so that an order must not count."""
    torch.manual_seed(4)
    student, teacher = torch.randn(2, 50), torch.randn(2, 60)
    shuffled = student[:, torch.randperm(50)]
    torch.testing.assert_close(uld_distance(student, teacher), uld_distance(shuffled, teacher))
    assert uld_distance(student, shuffled).max() < 1e-6


def test_the_teacher_is_left_alone() -> None:
    """A gradient into the teacher would move what is to be learnt."""
    student = torch.randn(2, 5, requires_grad=True)
    teacher = torch.randn(2, 6, requires_grad=True)
    uld_distance(student, teacher).sum().backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_half_precision_is_computed_in_full() -> None:
    """Probabilities of a large vocabulary vanish in bfloat16."""
    torch.manual_seed(5)
    student, teacher = torch.randn(2, 4_000).bfloat16(), torch.randn(2, 5_000).bfloat16()
    expected = reference(student, teacher).float()
    torch.testing.assert_close(uld_distance(student, teacher), expected, atol=1e-5, rtol=0)


def test_tokens_must_be_aligned() -> None:
    """Broadcast over tokens, one token would be held against all of them."""
    with pytest.raises(ValueError, match="1 tokens of a student, 3 of a teacher"):
        uld_distance(torch.randn(1, 5), torch.randn(3, 5))
