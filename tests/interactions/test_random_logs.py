"""Random dirty logs against a small reader in plain Python."""

import csv
import datetime as dt
from fractions import Fraction

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CELLS = {
    "user_id": ["u", "v", " ", "", "ü", "erased", '"q""q"', '"a,b"', "nan", "0"],
    "track_id": ["t", "s", "", "\t", "日", '""', '"x'],
    "plays": ["1", "2.5", "", "0", "-1", "nan", "inf", "x", "1e3", "1e10", " 7 ", '"3"'],
    "timestamp": [
        "",
        "2021-12-31",
        "2022-01-01",
        "2021-12-01T00:00:00Z",
        "2021-11-30T23:59:59Z",
        "1638316800",
        "2021-02-30",
        "2023-01-01",
        "1980-01-01",
    ],
}
HEADER = ",".join(CELLS)
LINES = st.one_of(
    *[st.tuples(*(st.sampled_from(cells) for cells in CELLS.values())).map(",".join)] * 6,
    st.sampled_from(["", "  ", HEADER, "u,t", "u,t,1,,", '"u,t,1,', "u,t,1,\udcff", '"u"t,t,1,']),
)


def judged(line: str) -> tuple[str, str, str, Fraction]:
    """(status, user, track, plays) of a line, by the book."""
    nothing = ("", "", Fraction(0))
    if line == HEADER:
        return "header", *nothing
    if not line.strip():
        return "blank", *nothing
    try:
        line.encode()
        user, track, plays, timestamp = next(csv.reader([line], strict=True))
    except (UnicodeEncodeError, csv.Error, ValueError):
        return "rejected", *nothing
    if user == "erased":
        return "erased", *nothing
    number = float(plays) if plays.strip() and plays != "x" else 1.0
    if not user.strip() or not track.strip() or plays == "x" or not 0 < number <= 1e9:
        return "rejected", *nothing
    if timestamp in ("2021-02-30", "2023-01-01", "1980-01-01"):
        return "rejected", *nothing
    if timestamp in ("2022-01-01", "2021-11-30T23:59:59Z"):
        return "outside", *nothing
    return "used", user, track, Fraction(number)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(st.lists(LINES, min_size=1, max_size=60), min_size=1, max_size=3))
def test_random_dirty_logs(ingested, tmp_path, files: list[list[str]]) -> None:
    (tmp_path / "erased").write_text("erased\n")
    written = {f"{number}.csv": "\n".join([HEADER, *lines]) for number, lines in enumerate(files)}
    raw = {name: text.encode("utf-8", "surrogateescape") for name, text in written.items()}
    found = ingested(
        raw,
        f"inputs.erased_users={tmp_path}/erased",
        "ingest.window_days=31",
        now=dt.datetime(2022, 1, 1, tzinfo=dt.UTC),
    )
    counts = dict.fromkeys(("used", "rejected", "outside", "erased", "header", "blank"), 0)
    table: dict[tuple[str, str], tuple[Fraction, int]] = {}
    places = set()
    for name, text in {text: (name, text) for name, text in reversed(written.items())}.values():  # one content once
        for number, line in enumerate(text.split("\n"), start=1):
            if not line and number == text.count("\n") + 1:
                continue  # what follows the last line end is no line
            status, user, track, plays = judged(line)
            counts[status] += 1
            if status == "rejected":
                places.add(f"{name}:{number}")
            if status == "used":
                before = table.get((user, track), (Fraction(0), 0))
                table[user, track] = (before[0] + plays, before[1] + 1)
    assert {key: found.counts[key] for key in counts} == counts
    assert set(found.reasons) == places
    assert {pair: (Fraction(plays), events) for pair, (plays, events, _) in found.rows.items()} == table
