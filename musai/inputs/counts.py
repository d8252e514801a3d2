"""What became of the rows of an input, in words, and the bound on how many may be bad."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from musai.errors import InputError


def counted(counts: Mapping[str, int]) -> str:
    """`N rows read = N used + N rejected + ...; N header lines, N blank lines`; without what an input does not know."""
    parts = [f"{counts[name]:,} {name}" for name in ("used", "rejected", "outside", "erased") if name in counts]
    parts += [f"{counts['aliased']:,} aliased"] if counts.get("aliased") else []
    apart = [f"{counts[name]:,} {name} lines" for name in ("header", "blank") if name in counts]
    again, bad = counts.get("repeated_files", 0), counts.get("rejected_files", 0)
    apart += [f"{again} files that are others under a second name, not read"] if again else []
    apart += [f"{bad} files rejected"] if bad else []
    return f"{counts['read']:,} rows read = {' + '.join(parts)}; {', '.join(apart)}"


def check_share(
    name: str, counts: Mapping[str, int], most: float, reasons: Callable[[], list[tuple[str, int]]]
) -> None:
    """Raise InputError where more than the share `most` of the rows, or of the files, was rejected, with the commonest
    reasons."""
    files, bad_files = counts.get("files", 0), counts.get("rejected_files", 0)
    if bad_files > most * (files + bad_files):
        why = ", ".join(f"{count:,} x {reason}" for reason, count in reasons())
        raise InputError(
            f"inputs.{name}: {bad_files:,} of {files + bad_files:,} files cannot be used ({why}), more than "
            f"ingest.max_rejected_share = {most}; rejected_rows of the run names each. Nothing was published"
        )
    if counts["rejected"] > most * counts["read"]:
        why = ", ".join(f"{count:,} x {reason}" for reason, count in reasons())
        share = counts["rejected"] / counts["read"]
        raise InputError(
            f"inputs.{name}: {counts['rejected']:,} of {counts['read']:,} rows ({share:.1%}) cannot be used ({why}), "
            f"more than ingest.max_rejected_share = {most}; rejected_rows of the run names each. Nothing was published"
        )
