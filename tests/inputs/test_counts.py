"""The bound on what may be rejected, of rows and of whole files."""

import pytest

from musai.errors import InputError
from musai.inputs.counts import check_share

COUNTS = {"read": 100, "rejected": 5, "files": 19, "rejected_files": 1}


def reasons() -> list[tuple[str, int]]:
    return [("no header", 1)]


def test_what_is_within_the_bound_goes_on() -> None:
    check_share("interactions", COUNTS, 0.05, reasons)


@pytest.mark.parametrize(
    ("more", "said"),
    [({"rejected": 6}, "6 of 100 rows"), ({"files": 1, "rejected_files": 9, "rejected": 0}, "9 of 10 files")],
)
def test_more_rows_or_more_files_stop_the_run(more: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=rf"{said}.* cannot be used \(1 x no header\)"):
        check_share("interactions", COUNTS | more, 0.05, reasons)
