"""The networks that turn sound into embeddings: five convolutional taggers on log-mel spectrograms.

| name | from | heard at once | embedding |
|---|---|---|---|
| musicnn | Pons, Nieto, Prockup, Schmidt, Ehmann & Serra 2018, "End-to-end learning for music audio tagging at scale" | 3 s | 200 |
| fcn | Choi, Fazekas & Sandler 2016, "Automatic tagging using deep convolutional neural networks" | 29 s | 64 |
| crnn | Choi, Fazekas, Sandler & Cho 2017, "Convolutional recurrent neural networks for music classification" | 29 s | 32 |
| moodtheme | Bogdanov, Won, Tovstogan, Porter & Serra 2019, "The MTG-Jamendo dataset for automatic music tagging": the baseline, after Choi et al. 2016 | 29 s | 64 |
| small | ours: short chunks (Won, Ferraro, Bogdanov & Serra 2020, "Evaluation of CNN-based automatic music tagging models") with the bands' own statistics beside the last layer | 4 s | 128 |

All but ours have the sizes and the parameter names of what was published, by Won et al. for the first three, so that
those state dicts fit as they are. Every forward takes sound float32 [batch, samples] (16 kHz, -1..1) and gives (embedding
[batch, E], logits [batch, tags]); a tag's probability is the logit's sigmoid.
"""  # noqa: E501  a table

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from musai.embedding.log_mel import HOP, MELS, SAMPLE_RATE, LogMel, LogMel12

TAGS = 50


class Conv2d(nn.Module):
    """3 x 3 convolution, batch norm, ReLU, max pooling: [b, c, mels, frames] -> [b, c', mels / p, frames / q]."""

    def __init__(self, inputs: int, outputs: int, pooling: tuple[int, int]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.bn = nn.BatchNorm2d(outputs)
        self.pooling = pooling

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.max_pool2d(self.bn(self.conv(x)).relu(), self.pooling)


class Conv1d(nn.Module):
    """Convolution over time, batch norm, ReLU: [b, c, frames] -> [b, c', frames]."""

    def __init__(self, inputs: int, outputs: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, width, padding=width // 2)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu()


class Timbral(nn.Module):
    """Tall filters, the strongest place in frequency: [b, 1, mels, frames] -> [b, c, frames]."""

    def __init__(self, outputs: int, height: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, outputs, (height, width), padding=(0, width // 2))
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x)).relu().amax(dim=2)


class Temporal(Conv1d):
    """Long filters over the mean of the bands: [b, 1, mels, frames] -> [b, c, frames]."""

    def __init__(self, outputs: int, width: int) -> None:
        super().__init__(1, outputs, width)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.mean(dim=2))


class Spectrogram(nn.Module):
    """Sound [b, samples] -> log-mel, normalised as a whole: [b, 1, 96, frames]."""

    def __init__(self) -> None:
        super().__init__()
        self.log_mel = LogMel()
        self.spec_bn = nn.BatchNorm2d(1)

    def normalised(self, sound: Tensor) -> Tensor:
        return self.spec_bn(self.log_mel(sound)[:, None])


class MusiCNN(Spectrogram):
    """Timbral and temporal filters side by side, three residual layers, mean and maximum over time, two dense."""

    seconds = 3.0

    def __init__(self, tags: int = TAGS, channels: int = 64, size: int = 200) -> None:
        super().__init__()
        tall = [Timbral(204, 67, 7), Timbral(204, 38, 7)]
        self.layers = nn.ModuleList([*tall, *(Temporal(51, width) for width in (129, 65, 33))])
        self.layer1 = Conv1d(561, channels, 7)
        self.layer2 = Conv1d(channels, channels, 7)
        self.layer3 = Conv1d(channels, channels, 7)
        self.dense1 = nn.Linear(2 * (561 + 3 * channels), size)
        self.bn = nn.BatchNorm1d(size)
        self.dropout = nn.Dropout(0.5)
        self.dense2 = nn.Linear(size, tags)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.normalised(sound)
        front = torch.cat([layer(x) for layer in self.layers], dim=1)  # [b, 561, frames]
        first = self.layer1(front)
        second = self.layer2(first) + first
        third = self.layer3(second) + second
        whole = torch.cat([front, first, second, third], dim=1)
        pooled = torch.cat([whole.amax(dim=2), whole.mean(dim=2)], dim=1)
        embedding = self.bn(self.dense1(pooled)).relu()
        return embedding, self.dense2(self.dropout(embedding))


class FCN(Spectrogram):
    """Five convolutions whose pooling leaves one number a channel."""

    seconds = 29.0

    def __init__(self, tags: int = TAGS) -> None:
        super().__init__()
        self.layer1 = Conv2d(1, 64, (2, 4))
        self.layer2 = Conv2d(64, 128, (2, 4))
        self.layer3 = Conv2d(128, 128, (2, 4))
        self.layer4 = Conv2d(128, 128, (3, 5))
        self.layer5 = Conv2d(128, 64, (4, 4))
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(64, tags)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.normalised(sound)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4, self.layer5):
            x = layer(x)
        embedding = x.flatten(1)  # [b, 64]
        return embedding, self.dense(self.dropout(embedding))


class CRNN(Spectrogram):
    """Four convolutions over frequency and time, then two recurrent layers over what is left of time."""

    seconds = 29.0

    def __init__(self, tags: int = TAGS) -> None:
        super().__init__()
        self.layer1 = Conv2d(1, 64, (2, 2))
        self.layer2 = Conv2d(64, 128, (3, 3))
        self.layer3 = Conv2d(128, 128, (4, 4))
        self.layer4 = Conv2d(128, 128, (4, 4))
        self.layer5 = nn.GRU(128, 32, 2, batch_first=True)
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(32, tags)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.normalised(sound)
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            x = layer(x)
        states, _ = self.layer5(x.squeeze(2).transpose(1, 2))  # [b, 128, steps] -> [b, steps, 32]
        embedding = states[:, -1]
        return embedding, self.dense(self.dropout(embedding))


class MoodTheme(nn.Module):
    """FCN with exponential units, on a log-mel of its own; the published weights are those of 56 moods and themes."""

    seconds = 1365.5 * HOP / (SAMPLE_RATE * 3 / 4)  # its pooling leaves one number a channel of 1,366 frames

    def __init__(self, tags: int = TAGS) -> None:
        super().__init__()
        self.log_mel = LogMel12()
        self.bn_init = nn.BatchNorm2d(1)
        for number, (inputs, outputs) in enumerate(((1, 64), (64, 128), (128, 128), (128, 128), (128, 64)), 1):
            self.add_module(f"conv_{number}", nn.Conv2d(inputs, outputs, 3, padding=1))
            self.add_module(f"bn_{number}", nn.BatchNorm2d(outputs))
        self.elu = nn.ELU()
        self.dropout = nn.Dropout(0.5)
        self.dense = nn.Linear(64, tags)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.bn_init(self.log_mel(sound)[:, None])
        for number, pooling in enumerate(((2, 4), (2, 4), (2, 4), (3, 5), (4, 4)), 1):
            x = self.get_submodule(f"bn_{number}")(self.get_submodule(f"conv_{number}")(x))
            x = nn.functional.max_pool2d(self.elu(x), pooling)
        embedding = x.flatten(1)  # [b, 64]
        return embedding, self.dense(self.dropout(embedding))


class Small(Spectrogram):
    """Five narrow convolutions; mean and maximum of the last, and each band's mean and deviation over time."""

    seconds = 4.0

    def __init__(self, tags: int = TAGS, size: int = 128) -> None:
        super().__init__()
        widths, pooling = (1, 16, 32, 64, 96, 128), ((2, 4), (2, 2), (2, 2), (2, 2), (2, 2))
        self.layers = nn.ModuleList(
            Conv2d(inputs, outputs, pool)
            for (inputs, outputs), pool in zip(itertools.pairwise(widths), pooling, strict=True)
        )
        self.dense1 = nn.Linear(2 * widths[-1] + 2 * MELS, size)
        self.bn = nn.BatchNorm1d(size)
        self.dropout = nn.Dropout(0.2)
        self.dense2 = nn.Linear(size, tags)

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        x = self.normalised(sound)
        deviation = (x.var(dim=3) + 1e-5).sqrt()  # the lowest bands may be empty: sqrt has no slope at 0
        bands = torch.cat([x.mean(dim=3), deviation], dim=2)[:, 0]  # [b, 192]
        for layer in self.layers:
            x = layer(x)
        pooled = torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), bands], dim=1)
        embedding = self.bn(self.dense1(pooled)).relu()
        return embedding, self.dense2(self.dropout(embedding))


class AllLayers(nn.Module):
    """A network whose embedding has, after its own, the mean of each channel of each convolution: what low layers hear
    is told by no tag (Choi, Fazekas, Sandler & Cho 2017, "Transfer learning for music classification and regression
    tasks")."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.means: list[Tensor] = []
        for module in network.modules():
            if isinstance(module, Conv1d | Conv2d | Timbral | nn.ELU):
                module.register_forward_hook(
                    lambda _module, _inputs, found: self.means.append(found.flatten(2).mean(2))
                )

    def forward(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        self.means.clear()
        embedding, logits = self.network(sound)
        return torch.cat([embedding, *self.means], dim=1), logits


Network = MusiCNN | FCN | CRNN | MoodTheme | Small
NETWORKS: dict[str, type[Network]] = {
    "small": Small, "musicnn": MusiCNN, "fcn": FCN, "crnn": CRNN, "moodtheme": MoodTheme,
}  # fmt: skip
