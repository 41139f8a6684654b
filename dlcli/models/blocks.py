"""What stored inputs become before a body sees them: one module per kind of block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dlcli.data.logmel import LogMel, mask_of
from dlcli.data.spec import PADDING, Field, mask_name
from dlcli.models.features import Features
from dlcli.models.pooling import longest


class Categories(nn.Module):
    """Each category becomes its embedding, or one-hot where its embedding size is 0."""

    def __init__(self, fields: Sequence[Field]) -> None:
        super().__init__()
        self.embeddings = nn.ModuleList(
            _embedding(field) if field.embedding_size else OneHot(field.size) for field in fields
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Codes (N, ..., columns) -> (N, ..., F)."""
        columns = codes.long().unbind(-1)
        return torch.cat(
            [embed(column) for embed, column in zip(self.embeddings, columns, strict=True)], -1
        )


def _embedding(field: Field) -> nn.Embedding:
    """Return the vectors of a category's codes; that of the unknown one begins at zero.

    Where every category of training has a code of its own it stays there, so that an unknown one
    is answered as the mean of all would be.
    """
    embedding = nn.Embedding(field.size, field.embedding_size)
    with torch.no_grad():
        embedding.weight[0] = 0
    return embedding


class OneHot(nn.Module):
    """One number per code: 1 for the row's own, 0 for the others."""

    codes: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.arange(size), persistent=False)

    def forward(self, column: Tensor) -> Tensor:
        """Codes (N, ...) -> (N, ..., size)."""
        return (column.unsqueeze(-1) == self.codes).to(torch.get_default_dtype())


class Picture(nn.Module):
    """Pixels, normalised per channel where the data says how."""

    mean: Tensor
    std: Tensor

    def __init__(self, field: Field) -> None:
        super().__init__()
        channels = field.shape[0]
        self.shape = field.shape
        for name, values in (
            ("mean", field.mean or (0.0,) * channels),
            ("std", field.std or (1.0,) * channels),
        ):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (N, C, H, W) in stored units -> (N, C, H, W)."""
        values = pixels.to(self.mean.dtype, copy=True)  # which `sub` would make beside its result
        return values.sub_(self.mean).div_(self.std)


class Sound(nn.Module):
    """Samples as a spectrogram, normalised per mel band; blank where the inputs say so."""

    mean: Tensor
    std: Tensor

    def __init__(self, field: Field) -> None:
        super().__init__()
        assert field.spectrogram is not None
        self.name = field.block
        self.log_mel = LogMel(field.spectrogram)
        self.shape = (1, field.spectrogram.n_mels, self.log_mel.frames(field.shape[0]))
        for name, values in (("mean", field.mean), ("std", field.std)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1))

    def forward(self, samples: Tensor, inputs: Mapping[str, Tensor] | None = None) -> Tensor:
        """Samples (N, S) int16 or, in the same units, float32 -> (N, 1, mels, frames)."""
        bands: Tensor = (self.log_mel(samples) - self.mean) / self.std  # (N, mels, frames)
        masks = (inputs or {}).get(mask_name(self.name))
        if masks is not None:  # 0 is the mean
            blank = mask_of(masks, bands=bands.shape[1], frames=bands.shape[2])
            bands = bands.masked_fill(blank, 0)
        return bands.unsqueeze(1)


class Steps(nn.Module):
    """Steps of numbers, the last of which says where there is a step."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.width = field.shape[1] - 1

    def forward(self, steps: Tensor) -> Features:
        """Steps (N, T, F + 1) -> values (N, T, F), lengths (N,)."""
        lengths = steps[:, :, -1].sum(1).long()
        return Features(steps[:, : longest(lengths, steps.shape[1]), :-1], lengths)

    @staticmethod
    def flat(field: Field) -> nn.Module:
        """Return what makes one vector of all steps: padding is 0, and told by the last number."""
        del field
        return nn.Flatten()


class BagOfTokens(nn.Module):
    """The mean of the tokens' vectors, whatever their order."""

    def __init__(self, field: Field) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(
            field.size, field.embedding_size, mode="mean", padding_idx=PADDING
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Codes (N, T) -> (N, F)."""
        vectors: Tensor = self.bag(tokens.long())
        return vectors
