"""Log-mel against librosa, the published weights, and what is asked of weights before they are used."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import pickle

import librosa
import numpy as np
import pytest
import scipy.signal
import torch
from safetensors.torch import load_file

from musai.embedding import weights
from musai.embedding.log_mel import LogMel, LogMel12, mel_filters, slaney_filters
from musai.embedding.network import NETWORKS, AllLayers, Small
from musai.errors import InputError
from tests.embedding.conftest import tone

WEIGHTS = pathlib.Path(os.environ.get("MUSAI_SHARED", "../shared")) / "data/weights"
SHARED = WEIGHTS / "sota_tagging"


def test_the_filters_are_librosas():
    theirs = librosa.filters.mel(sr=16_000, n_fft=512, n_mels=96, htk=True, norm=None)
    np.testing.assert_allclose(mel_filters().numpy(), theirs.T, atol=1e-6)
    theirs = librosa.filters.mel(sr=12_000, n_fft=512, n_mels=96, htk=False, norm="slaney")
    np.testing.assert_allclose(slaney_filters(12_000).numpy(), theirs.T, atol=1e-6)


def test_log_mel_is_librosas():
    sound = np.random.default_rng(0).normal(0, 0.1, 16_000) + tone(1)[:, 0]
    power = librosa.feature.melspectrogram(
        y=sound, sr=16_000, n_fft=512, hop_length=256, n_mels=96, htk=True, norm=None, pad_mode="reflect"
    )
    theirs = 10 * np.log10(np.maximum(power, 1e-10))
    ours = LogMel()(torch.from_numpy(sound).float()[None])[0].numpy()
    assert ours.shape == (96, 63)
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-5)


def test_the_taggers_log_mel_is_librosas_of_what_scipy_resamples():
    sound = np.random.default_rng(0).normal(0, 0.1, 32_000) + tone(2)[:, 0]
    steep = scipy.signal.firwin(2001, 5_000, fs=16_000)  # what is near the edge, each resampler passes as it likes
    passed = scipy.signal.lfilter(steep, 1, sound)
    theirs_12 = scipy.signal.resample_poly(passed, 3, 4)
    made = LogMel12()
    ours_12 = made.at_12_khz(torch.from_numpy(np.stack([passed, sound])).float()).numpy()
    assert ours_12.shape == (2, 24_000)
    np.testing.assert_allclose(ours_12[0, 200:-200], theirs_12[200:-200], atol=1e-3)
    power = librosa.feature.melspectrogram(
        y=ours_12[1], sr=12_000, n_fft=512, hop_length=256, n_mels=96, htk=False, norm="slaney", pad_mode="constant"
    )
    ours = made(torch.from_numpy(sound).float()[None])[0].numpy()
    np.testing.assert_allclose(ours, 10 * np.log10(np.maximum(power, 1e-10)), atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_that_a_batch_changes_nothing(name):
    torch.manual_seed(0)
    network = NETWORKS[name](tags=7).eval()
    sound = torch.randn(2, round(network.seconds * 16_000)) * 0.1
    with torch.inference_mode():
        embedding, logits = network(sound)
        alone, _ = network(sound[1:])
    assert embedding.shape == (2, {"musicnn": 200, "fcn": 64, "crnn": 32, "small": 128, "moodtheme": 64}[name])
    assert logits.shape == (2, 7)
    torch.testing.assert_close(embedding[1:], alone, atol=1e-4, rtol=1e-4)


def saved(network, folder: pathlib.Path) -> tuple[pathlib.Path, str]:
    path = folder / "own.safetensors"
    return path, weights.save(network, path)


@pytest.mark.parametrize(
    ("name", "means"), [("fcn", 512), ("crnn", 448), ("moodtheme", 512), ("musicnn", 753), ("small", 336)]
)
def test_all_layers_are_the_embedding_and_each_layers_means(name, means):
    torch.manual_seed(0)
    network = NETWORKS[name]().eval()
    sound = torch.randn(2, round(network.seconds * 16_000)) / 10
    with torch.inference_mode():
        embedding, logits = network(sound)
        whole = AllLayers(network)
        for _ in range(2):  # nothing of the first is left
            found, same = whole(sound)
        np.testing.assert_array_equal(same, logits)
        np.testing.assert_array_equal(found[:, : embedding.shape[1]], embedding)
        assert found.shape == (2, embedding.shape[1] + means)
        if name == "fcn":
            first = network.layer1(network.normalised(sound)).mean(dim=(2, 3))
            np.testing.assert_allclose(found[:, 64:128], first, rtol=1e-4)


def test_own_weights_come_back(tmp_path):
    network = Small(tags=3).eval()
    path, sha256 = saved(network, tmp_path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    again = weights.loaded("small", path)
    sound = torch.randn(1, 64_000) * 0.1
    with torch.inference_mode():
        torch.testing.assert_close(again(sound)[0], network(sound)[0], atol=0, rtol=0)


def test_a_file_url_and_a_path_with_the_right_digest_and_the_wrong_one(tmp_path):
    path, sha256 = saved(Small(tags=3), tmp_path)
    for name in (str(path), path.as_uri()):
        assert weights.located("small", name, sha256) == path
        assert weights.located("small", name, None) == path
        with pytest.raises(InputError, match=f"sha256 is {sha256}, not {'0' * 64}"):
            weights.located("small", name, "0" * 64)
    with pytest.raises(InputError, match="no such file"):
        weights.located("small", str(tmp_path / "gone.pth"), None)


def test_an_address_is_fetched_once_and_needs_its_digest(tmp_path, monkeypatch):
    import functools
    import http.server
    import threading

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    path, sha256 = saved(Small(tags=3), tmp_path)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{path.name}"
        with pytest.raises(InputError, match=r"embedding.sha256"):
            weights.located("small", address, None)
        with pytest.raises(InputError, match="the digest is not 0000"):
            weights.located("small", address, "0" * 64)
        with pytest.raises(InputError, match="cannot be fetched"):
            weights.located("small", address + "x", "1" * 64)
        first = weights.located("small", address, sha256)
        server.shutdown()
    assert first.read_bytes() == path.read_bytes()
    assert weights.located("small", address, sha256) == first  # the server is gone


def test_what_are_no_weights_is_refused(tmp_path):
    path, _ = saved(Small(tags=3), tmp_path)
    with pytest.raises(InputError, match="holds no weights of fcn"):
        weights.loaded("fcn", path)
    (tmp_path / "text.safetensors").write_text("x" * 100)
    (tmp_path / "text.pth").write_text("x" * 100)
    torch.save({"a": 1}, tmp_path / "number.pth")
    with (tmp_path / "code.pth").open("wb") as file:
        pickle.dump({"a": pathlib.Path("x")}, file)
    for name in ("text.safetensors", "text.pth", "number.pth", "code.pth"):
        with pytest.raises(InputError, match=r"cannot be read as weights|is no state dict"):
            weights.loaded("small", tmp_path / name)
    state = load_file(path) | {"spec.mel_scale.fb": mel_filters(mels=96) * 2}
    torch.save(state, tmp_path / "other front end.pth")
    with pytest.raises(InputError, match="is not of the log-mel that MusAI computes"):
        weights.loaded("small", tmp_path / "other front end.pth")


def test_the_shipped_weights_are_those_of_their_card_and_tell_sounds_apart():
    path = weights.located("small", None, None)
    card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert card["sha256"] == weights.digest(path)
    assert path.stat().st_size < 3_000_000
    network = weights.loaded("small", path)
    sounds = np.stack([tone(4, hz=220)[:, 0], tone(4, hz=233)[:, 0], np.random.default_rng(0).normal(0, 0.3, 64_000)])
    with torch.inference_mode():
        embeddings, logits = network(torch.from_numpy(sounds).float())
    assert logits.shape == (3, len(card["tags"]))
    near, far = (torch.cosine_similarity(embeddings[0], other, dim=0) for other in embeddings[1:])
    assert near > far + 0.1


def test_only_the_small_network_is_shipped():
    with pytest.raises(InputError, match="none are shipped for musicnn"):
        weights.located("musicnn", None, None)


@pytest.mark.realdata
@pytest.mark.parametrize(
    "path", sorted(SHARED.glob("*/*/best_model.pth")), ids=lambda path: "-".join(path.parts[-3:-1])
)
def test_published_weights_load_whole_and_give_the_published_formula(path):
    """Against the tagger written out with torch's functions alone, from the parameters' names."""
    network = weights.loaded(path.parent.name, path)
    sound = torch.from_numpy(tone(network.seconds, hz=330)[:, 0]).float()[None]
    state = torch.load(path, map_location="cpu", weights_only=True)
    with torch.inference_mode():
        _, logits = network(sound)
        spectrum = torch.stft(sound, 512, 256, window=state["spec.spectrogram.window"], return_complex=True).abs() ** 2
        mel = 10 * torch.log10((spectrum.transpose(1, 2) @ state["spec.mel_scale.fb"]).transpose(1, 2).clamp(min=1e-10))
        expected = REFERENCES[path.parent.name](_normal(mel[:, None], state, "spec_bn"), state)
    torch.testing.assert_close(logits.sigmoid(), expected, atol=1e-4, rtol=1e-3)


@pytest.mark.realdata
def test_the_published_tagger_of_moods_and_themes():
    path = WEIGHTS / "mtg_jamendo_moodtheme/best_model.pth"
    network = weights.loaded("moodtheme", path)
    sound = torch.from_numpy(tone(network.seconds, hz=330)[:, 0]).float()[None]
    state = torch.load(path, map_location="cpu", weights_only=True)
    with torch.inference_mode():
        _, logits = network(sound)
        x = _normal(network.log_mel(sound)[:, None], state, "bn_init")
        for name, pool in zip("12345", ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4)), strict=True):
            x = torch.nn.functional.conv2d(x, state[f"conv_{name}.weight"], state[f"conv_{name}.bias"], padding=1)
            x = torch.nn.functional.max_pool2d(torch.nn.functional.elu(_normal(x, state, f"bn_{name}")), pool)
    torch.testing.assert_close(logits, _dense(x.reshape(1, -1), state, "dense"), atol=1e-4, rtol=1e-3)
    assert logits.shape == (1, 56)


def _normal(x, state, name):
    mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
    return torch.nn.functional.batch_norm(x, mean, variance, state[f"{name}.weight"], state[f"{name}.bias"])


def _conv(x, state, name, padding):
    kernel, bias = state[f"{name}.conv.weight"], state[f"{name}.conv.bias"]
    convolve = torch.nn.functional.conv2d if kernel.dim() == 4 else torch.nn.functional.conv1d
    return torch.relu(_normal(convolve(x, kernel, bias, padding=padding), state, f"{name}.bn"))


def _dense(x, state, name):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def _fcn(x, state):
    for name, pool in zip("12345", ((2, 4), (2, 4), (2, 4), (3, 5), (4, 4)), strict=True):
        x = torch.nn.functional.max_pool2d(_conv(x, state, f"layer{name}", 1), pool)
    return torch.sigmoid(_dense(x.reshape(len(x), -1), state, "dense"))


def _crnn(x, state):
    for name, pool in zip("1234", (2, 3, 4, 4), strict=True):
        x = torch.nn.functional.max_pool2d(_conv(x, state, f"layer{name}", 1), pool)
    x = x[:, :, 0].transpose(1, 2)
    for layer in "01":  # a GRU, gate by gate
        hidden, outputs = torch.zeros(len(x), 32), []
        for step in x.unbind(1):
            given = step @ state[f"layer5.weight_ih_l{layer}"].T + state[f"layer5.bias_ih_l{layer}"]
            kept = hidden @ state[f"layer5.weight_hh_l{layer}"].T + state[f"layer5.bias_hh_l{layer}"]
            (gr, gz, gn), (kr, kz, kn) = given.split(32, dim=1), kept.split(32, dim=1)
            update = torch.sigmoid(gz + kz)
            hidden = (1 - update) * torch.tanh(gn + torch.sigmoid(gr + kr) * kn) + update * hidden
            outputs.append(hidden)
        x = torch.stack(outputs, 1)
    return torch.sigmoid(_dense(x[:, -1], state, "dense"))


def _musicnn(x, state):
    front = [_conv(x, state, f"layers.{n}", (0, 3)).amax(2) for n in (0, 1)]
    flat = x.mean(2)
    front += [_conv(flat, state, f"layers.{n}", width // 2) for n, width in ((2, 129), (3, 65), (4, 33))]
    joined = torch.cat(front, 1)
    one = _conv(joined, state, "layer1", 3)
    two = _conv(one, state, "layer2", 3) + one
    three = _conv(two, state, "layer3", 3) + two
    every = torch.cat([joined, one, two, three], 1)
    pooled = torch.cat([every.max(2).values, every.mean(2)], 1)
    return torch.sigmoid(_dense(torch.relu(_normal(_dense(pooled, state, "dense1"), state, "bn")), state, "dense2"))


REFERENCES = {"fcn": _fcn, "crnn": _crnn, "musicnn": _musicnn}
