"""Types of the arguments of public functions."""

import os
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
import torch

T = TypeVar("T")
PerLayer: TypeAlias = T | Sequence[T]
PerLevel: TypeAlias = T | list[T]
Pair: TypeAlias = int | tuple[int, int]
ImageShape: TypeAlias = tuple[int, ...] | None
RandomState: TypeAlias = int | np.random.RandomState | None
Verbose: TypeAlias = bool | int
Device: TypeAlias = str | torch.device
PathLike: TypeAlias = str | os.PathLike[str]

Auto: TypeAlias = Literal["auto"]
Bound: TypeAlias = Literal["exact", "paper"]
Precision: TypeAlias = Literal["auto", "float32", "bfloat16"]
ClassWeight: TypeAlias = dict[Any, float] | Literal["balanced"] | None
Border: TypeAlias = Literal["auto", "dark"]
Encoding: TypeAlias = Literal["one_hot", "relu", "crelu"]
PoolSize: TypeAlias = Literal["auto", "eighths", "thirds"]
Pooling: TypeAlias = Literal["max", "average"]
Padding: TypeAlias = Literal["valid", "same"] | Pair
Seeding: TypeAlias = Literal["k-means++", "random"]
Loss: TypeAlias = Literal["linear", "cross_entropy"]
Solver: TypeAlias = Literal["exact", "svd", "kmeans", "counts", "shares", "gd", "sgd", "adam"]
ReadoutInit: TypeAlias = Literal["normal", "sphere"]
SampleOutput: TypeAlias = Literal["pixels", "symbols"]
DatasetLayout: TypeAlias = Literal["nchw", "ncl", "tokens"]
