"""One step of the training: encoders and decoders first, then the critics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

import torch
from torch import Tensor, nn

from .checkpoint import restore_optimiser, take_part, tensors_of_optimiser
from .networks.registry import Network
from .networks.two_domain import Passes, TwoCritics
from .objective import Spaces, critic_loss, network_losses
from .precision import half_precision
from .representation import Batch
from .settings import SCHEDULES, AdaptationTraining

CRITICS_LEAD_STEPS = 200
"""Steps that critics are trained for before they count."""


class Optimisation:
    """Networks and critics, each with an Adam optimiser, and how they are trained.

    Parameters
    ----------
    network : AdaptationNetwork or ConvNetwork
        Encoders and decoders, on the device of the training.
    critics : TwoCritics
        Critics, on the same device.
    training : AdaptationTraining
        Settings.
    generator : torch.Generator
        Of the directions along which distributions are matched.
    """

    def __init__(
        self,
        network: Network,
        critics: TwoCritics,
        training: AdaptationTraining,
        generator: torch.Generator,
    ) -> None:
        self.network, self.critics, self.training = network, critics, training
        self.generator = generator
        betas = (0.5, training.beta2)
        self._of_network = torch.optim.Adam(
            network.parameters(), training.learning_rate, betas, fused=True
        )
        self._of_critics = torch.optim.Adam(
            critics.parameters(), training.critic_learning_rate, betas, fused=True
        )

    @property
    def _optimisers(self) -> dict[str, torch.optim.Optimizer]:
        return {"opt_g": self._of_network, "opt_d": self._of_critics}

    def passes(self, s: Tensor, o: Tensor) -> Passes:
        """Return all routes of a batch, in float32 however they were computed.

        Parameters
        ----------
        s, o : Tensor, shape ``(M, B, n_coefficients)``
            Synthetic and observed spectra.
        """
        if not self.training.bf16:
            return self.network.passes(s, o)
        with half_precision(s.device, True):
            r = self.network.passes(s, o)
        return Passes(*(getattr(r, f.name).float() for f in fields(r)))

    def losses(
        self, iteration: int, r: Passes, batch: Batch, spaces: Spaces
    ) -> dict[str, tuple[float, Tensor]]:
        """Return weight and value of every loss of encoders and decoders, by name."""
        return network_losses(
            self.training, iteration, r, batch, spaces, self.critics, self.generator
        )

    def step(self, iteration: int, batch: Batch, spaces: Spaces) -> dict[str, float]:
        """Take a step, and return the losses by name, as means over members.

        Parameters
        ----------
        iteration : int
            Steps taken before.
        batch : Batch
            Spectra of both domains.
        spaces : Spaces
            Representations.
        """
        t = self.training
        rate = SCHEDULES[t.schedule](iteration, t.iterations)
        for optimiser, peak in (
            (self._of_network, t.learning_rate),
            (self._of_critics, t.critic_learning_rate),
        ):
            for group in optimiser.param_groups:
                group["lr"] = peak * rate
        r = self.passes(batch.s, batch.o)
        terms = self.losses(iteration, r, batch, spaces)
        figures = {name: value for name, (_, value) in terms.items()}
        loss = torch.stack([weight * value for weight, value in terms.values()]).sum()
        self._of_network.zero_grad(set_to_none=True)
        loss.backward()
        self._of_network.step()

        if t.adversarial and iteration > t.critics_from - CRITICS_LEAD_STEPS:
            self.critics.requires_grad_(True)
            critic = critic_loss(t, r, self.critics)
            self._of_critics.zero_grad(set_to_none=True)
            (t.critic_weight * critic).backward()
            self._of_critics.step()
            figures["critic"] = critic
        return {k: float(v.detach()) / t.members for k, v in figures.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Return weights and what the optimisers remember, by the names of checkpoints."""
        modules: dict[str, nn.Module] = {"network": self.network, "critics": self.critics}
        out = {
            f"{name}.{k}": v
            for name, module in modules.items()
            for k, v in module.state_dict().items()
        }
        for name, optimiser in self._optimisers.items():
            out |= tensors_of_optimiser(name, optimiser)
        return out

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Take over what :meth:`tensors` returned."""
        left = dict(tensors)
        self.network.load_state_dict(take_part(left, "network"))
        self.critics.load_state_dict(take_part(left, "critics"))
        for name, optimiser in self._optimisers.items():
            restore_optimiser(optimiser, take_part(left, name))
