"""CPU or GPU for what torch works out with tracks and listeners, and matrices there."""

from __future__ import annotations

import warnings

import scipy.sparse as sp
import torch

from musai.devices import Device
from musai.errors import InputError

LISTS = "recommend.device"


def choose(device: Device, key: str) -> torch.device:
    """The device that the configuration's `key` means. Raises InputError for `gpu` where torch finds none."""
    there = torch.cuda.is_available()
    if device == "gpu" and not there:
        reason = "is a build without CUDA" if torch.version.cuda is None else "finds no CUDA device"
        raise InputError(f"{key}: gpu cannot be used here: torch {torch.__version__} {reason}")
    return torch.device("cuda" if there and device != "cpu" else "cpu")


def sparse(matrix: sp.csr_matrix, device: torch.device) -> torch.Tensor:
    """The matrix, whose indices are in order, as a CSR tensor on the device."""
    arrays = (matrix.indptr, matrix.indices, matrix.data)
    starts, columns, values = (torch.from_numpy(array).to(device) for array in arrays)
    with warnings.catch_warnings():  # that CSR may yet change in torch; its version is locked
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=False)
