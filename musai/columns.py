"""Names of columns that several tables share, and of the values that they may hold. Imports nothing of ours."""

USER_ID = "user_id"
TRACK_ID = "track_id"
USER_INDEX = "user_index"
ITEM_INDEX = "item_index"
PLAYS = "plays"
EVENT = "event"
EVENTS = "events"
TIMESTAMP = "timestamp"
LAST_EVENT_AT = "last_event_at"
INTERACTIONS = "interactions"
WEIGHT = "weight"
FACTORS = "factors"
METHOD = "method"
RANK = "rank"
SCORE = "score"
LIST = "list"
SOURCE = "source"
BECAUSE_TRACK_ID = "because_track_id"

FOR_YOU = "for_you"
DISCOVER = "discover"
MADE_FOR_YOU = "made_for_you"
NEW_RELEASES = "new_releases"

POPULARITY = "popularity"  # `recommendations.source` of a listener without history
CONTENT = "content"  # ... of a track that nobody has heard, by what is known of it
CATALOGUE = "catalogue"  # ... of a track that nobody has heard, which fills a list that would stay short
