"""Checkpoints: an interrupted training run resumes with the same result."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from ...errors import DeescalateError, UnreadableInputError
from ...files import whole_file

CHECKPOINT_FILE = "checkpoint.pt"
_DAMAGED = (
    *(OSError, EOFError, RuntimeError, UnpicklingError),
    *(ValueError, LookupError, TypeError, AttributeError),
)
"""What loading a file that is not our checkpoint raises, in torch or here."""


class TrainingError(DeescalateError):
    """A run cannot continue: its loss is not finite, or memory is full; change the recipe."""


class CheckpointError(UnreadableInputError):
    """A checkpoint is damaged or from another run; delete it or choose another folder."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of a run's state, and the values that must match to resume from it."""

    path: Path
    identity: Mapping[str, str]

    def save(
        self, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, losses: list[float]
    ) -> None:
        """Write the state of a run atomically. Raises OutputError."""
        content = io.BytesIO()
        state = {
            "identity": dict(self.identity),
            "weights": {name: weight.detach() for name, weight in weights.items()},
            "optimizer": optimizer.state_dict(),
            "losses": losses,
        }
        torch.save(state, content)
        with whole_file(self.path) as file:
            file.write(content.getbuffer())

    def restore(
        self, weights: Mapping[str, Tensor], optimizer: torch.optim.Optimizer
    ) -> list[float]:
        """Restore weights and optimizer; return the losses of the steps so far.

        Without a checkpoint there are none.

        Raises:
            CheckpointError: the checkpoint is damaged, or from another run.
        """
        if not self.path.exists():
            return []
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            self._check(state["identity"])
            with torch.no_grad():
                for name, weight in weights.items():
                    weight.copy_(state["weights"][name])
            optimizer.load_state_dict(state["optimizer"])
            return list(state["losses"])
        except _DAMAGED as error:
            reason = "is damaged, or not a checkpoint of this program; delete it to start again"
            raise CheckpointError(self.path, reason) from error

    def _check(self, saved: Mapping[str, str]) -> None:
        for what, value in self.identity.items():
            if saved.get(what) != value:
                raise CheckpointError(
                    self.path,
                    f"is from another run, with the {what} {saved.get(what)}, not {value}; delete"
                    " it or choose another folder",
                )
