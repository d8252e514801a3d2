"""The nearest columns of each column of a sparse matrix, in torch: on a GPU what implicit's all_pairs_knn is on a CPU.

Y^T Y is worked out in blocks of rows, sparse times sparse (cuSPARSE's SpGEMM; MKL on a CPU), and each block is laid out
dense, cut to the largest of each row and dropped. A block takes about BLOCK_PRODUCTS multiplications and is at most
BLOCK_NUMBERS numbers when dense (more only where one row is more), which bounds the memory by about 3 GB beside Y and
its transpose. float64 throughout: the order of `neighbours` tells scores apart that differ by 1e-7 / items.

Time: sum over users of |N_u|^2, as on a CPU, and items^2 numbers that are looked through.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.sparse as sp
import torch

from musai.similarity.neighbours import row_chunks

BLOCK_PRODUCTS = 1 << 25
BLOCK_NUMBERS = 1 << 27


def all_pairs(columns: sp.csr_matrix, width: int, device: torch.device) -> tuple[np.ndarray, np.ndarray]:
    """Of each column of Y, float64 [users, items], the `width` columns whose products with it are the largest, itself
    among them: int32 and float64 [items, width], the largest first."""
    items = columns.shape[1]
    by_item, right = columns.T.tocsr(), sparse(columns, device)
    others, values = np.empty((items, width), np.int32), np.empty((items, width), np.float64)
    longest = max(1, BLOCK_NUMBERS // items)
    for first, last in row_chunks(by_item, np.diff(columns.indptr), BLOCK_PRODUCTS):
        for start in range(first, last, longest):
            end = min(start + longest, last)
            best = torch.topk((sparse(by_item[start:end], device) @ right).to_dense(), width)
            others[start:end], values[start:end] = best.indices.cpu().numpy(), best.values.cpu().numpy()
    return others, values


def sparse(matrix: sp.csr_matrix, device: torch.device) -> torch.Tensor:
    """The matrix, whose indices are in order, as a CSR tensor on the device."""
    arrays = (matrix.indptr, matrix.indices, matrix.data)
    starts, columns, values = (torch.from_numpy(array).to(device) for array in arrays)
    with warnings.catch_warnings():  # that CSR may yet change in torch; its version is locked
        warnings.simplefilter("ignore", UserWarning)
        return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=False)
