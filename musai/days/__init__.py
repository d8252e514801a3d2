"""Incremental nights: what ingest made of a file is kept, and a night reads only files that are new or changed.

Kept, of the files that one night read together, in an immutable day folder (`musai.warehouse.day_folders`):

    good/       file, day, user_id, track_id and the exact sums of the rows that may count, as sorted runs (see `sums`)
    rejected/   file, line, reason, the row, and its user_id where it has one
    _manifest   the files by their identity with their numbers of rows, and the sha256 of every part; written last

A file's identity is the sha256 of its content and how it is parsed. A file under another name is the same file; under
two names it counts once; one that changed has another identity, and one that is gone is not asked for. A late event
stands under its own day, whatever file brought it.

The interactions are merged from the folders. Applied there, so that they may change from night to night: the window
and the run date (by day), aliases, and who is erased (a row of theirs is left out and counted). What changes how a row
is judged is part of the folders' key, and another value reads the log anew: columns, format, time zone, earliest date,
weights of events (a row's plays x weight is rounded before it is added up, so weights cannot be applied to sums) and
the version of the code. Two more things are looked at for each file. Whether a moment is in the future depends on the
clock: a file's rows are judged alike while no moment of it passes over now + a day. And rows of erased users are not
even kept, only counted: such a file serves as long as the list of erased users begins with the ids that it had then.

The merging needs no shuffle: a task reads its range of listeners from all folders. A night that keeps nothing goes the
same way, through a folder that is removed after it.

A folder whose parts are not what its manifest says is not used. So nothing depends on what is kept but the time that a
night takes: without it, or with `ingest.incremental=false`, the tables are the same.
"""
