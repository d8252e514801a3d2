"""`evaluate_music` on the tiny night: each figure with its reference rows."""


def test_every_style_has_its_figures_beside_real_music(night):
    rows = night.table("generation_metrics")
    tracks = night.table("generated_tracks")
    for style, count in tracks.groupby("style").size().items():
        if count < 2:
            continue
        own = rows[(rows["style"] == style) & (rows["metric"] != "share_refused")].set_index("metric")
        assert {"pitches", "repeated_bars", "transitions", "structure"} <= set(own.index)
        assert own[["generated", "real", "other_style"]].stack().between(0, 1 + 1e-9).all()
        assert own.loc["transitions", "real"] > 0.5


def test_the_share_of_refused_pieces_adds_up(night):
    shares = night.table("generation_metrics").query("metric == 'share_refused'").set_index("style")["generated"]
    refused = night.table("refused_tracks")
    looked = refused[refused["reason"] == "sampled"]["pieces"].sum()
    assert shares["all"] == 1 - len(night.table("generated_tracks")) / looked
