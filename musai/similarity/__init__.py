"""Neighbours of tracks and of listeners: `neighbours` says what is computed, `spark` distributes it; `predictors`
turns them into predicted weights."""
