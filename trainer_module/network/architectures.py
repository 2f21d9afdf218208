"""EfficientNetV2 as tables: which block follows which (arXiv 2104.00298, table 4).

`keras.applications` has the same tables, and layer names are taken from there, so that weights
can go from one to the other by name.
"""

import dataclasses
import math
from typing import NamedTuple


class BlockGroup(NamedTuple):
    """One row of the table: `repeats` blocks, of which the first has the stride."""

    fused: bool  # Fused-MBConv (one kxk convolution) or MBConv (1x1, then kxk depthwise)
    repeats: int
    in_channels: int
    out_channels: int
    expand_ratio: int
    stride: int
    se_ratio: float  # squeeze-and-excitation, as a share of the block's input; 0 is none
    kernel_px: int = 3


# fmt: off
TABLES: dict[str, tuple[BlockGroup, ...]] = {
    "efficientnetv2-b0": (
        BlockGroup(True, 1, 32, 16, 1, 1, 0), BlockGroup(True, 2, 16, 32, 4, 2, 0),
        BlockGroup(True, 2, 32, 48, 4, 2, 0), BlockGroup(False, 3, 48, 96, 4, 2, 0.25),
        BlockGroup(False, 5, 96, 112, 6, 1, 0.25), BlockGroup(False, 8, 112, 192, 6, 2, 0.25),
    ),
    "efficientnetv2-s": (
        BlockGroup(True, 2, 24, 24, 1, 1, 0), BlockGroup(True, 4, 24, 48, 4, 2, 0),
        BlockGroup(True, 4, 48, 64, 4, 2, 0), BlockGroup(False, 6, 64, 128, 4, 2, 0.25),
        BlockGroup(False, 9, 128, 160, 6, 1, 0.25), BlockGroup(False, 15, 160, 256, 6, 2, 0.25),
    ),
    "efficientnetv2-m": (
        BlockGroup(True, 3, 24, 24, 1, 1, 0), BlockGroup(True, 5, 24, 48, 4, 2, 0),
        BlockGroup(True, 5, 48, 80, 4, 2, 0), BlockGroup(False, 7, 80, 160, 4, 2, 0.25),
        BlockGroup(False, 14, 160, 176, 6, 1, 0.25), BlockGroup(False, 18, 176, 304, 6, 2, 0.25),
        BlockGroup(False, 5, 304, 512, 6, 1, 0.25),
    ),
    "efficientnetv2-l": (
        BlockGroup(True, 4, 32, 32, 1, 1, 0), BlockGroup(True, 7, 32, 64, 4, 2, 0),
        BlockGroup(True, 7, 64, 96, 4, 2, 0), BlockGroup(False, 10, 96, 192, 4, 2, 0.25),
        BlockGroup(False, 19, 192, 224, 6, 1, 0.25), BlockGroup(False, 25, 224, 384, 6, 2, 0.25),
        BlockGroup(False, 7, 384, 640, 6, 1, 0.25),
    ),
}
# fmt: on
TOP_CHANNELS = 1280
CHANNEL_DIVISOR = 8


@dataclasses.dataclass(frozen=True)
class Block:
    """One block.

    Attributes:
      name: as in `keras.applications`: `block` + stage from 1 + letter.
      se_channels: width of squeeze-and-excitation's bottleneck, 0 for none.
      drop_share: position in the network, 0 in the first block, towards 1 in the last; stochastic
        depth drops with this share of its largest rate.
    """

    name: str
    fused: bool
    kernel_px: int
    in_channels: int
    expanded_channels: int
    out_channels: int
    stride: int
    se_channels: int
    drop_share: float

    @property
    def has_expansion(self) -> bool:
        """Whether a convolution widens the input first."""
        return self.expanded_channels != self.in_channels

    @property
    def has_skip(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.in_channels == self.out_channels


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network, all numbers resolved.

    Attributes:
      arch: name in `TABLES`.
      stem_channels: output of the first convolution.
      blocks: in order.
      top_channels: width of the features that the classifier sees.
      num_classes: outputs.
    """

    arch: str
    stem_channels: int
    blocks: tuple[Block, ...]
    top_channels: int
    num_classes: int

    @property
    def imagenet_statistics(self) -> bool:
        """Whether pixels are normalised with ImageNet's mean and deviation, as B0 was published.

        The larger ones map 0..255 to -1..1.
        """
        return self.arch == "efficientnetv2-b0"


def round_channels(channels: int, width_coefficient: float) -> int:
    """`channels` times the coefficient, to a multiple of 8, at most 10 % below the product."""
    scaled = channels * width_coefficient
    rounded = max(
        CHANNEL_DIVISOR, int(scaled + CHANNEL_DIVISOR / 2) // CHANNEL_DIVISOR * CHANNEL_DIVISOR
    )
    return rounded + CHANNEL_DIVISOR if rounded < 0.9 * scaled else rounded


def build(
    arch: str, num_classes: int, width_coefficient: float = 1.0, depth_coefficient: float = 1.0
) -> Architecture:
    """Resolves a table.

    Args:
      arch: a key of `TABLES`.
      num_classes: outputs of the classifier.
      width_coefficient: factor on all channels.
      depth_coefficient: factor on the blocks of each stage, rounded up.
    """
    stages = TABLES[arch]
    repeats = [math.ceil(depth_coefficient * stage.repeats) for stage in stages]
    blocks: list[Block] = []
    for number, (stage, count) in enumerate(zip(stages, repeats, strict=True), start=1):
        out_channels = round_channels(stage.out_channels, width_coefficient)
        for index in range(count):
            first = index == 0
            in_channels = (
                round_channels(stage.in_channels, width_coefficient) if first else out_channels
            )
            blocks.append(
                Block(
                    name=f"block{number}{chr(ord('a') + index)}_",
                    fused=stage.fused,
                    kernel_px=stage.kernel_px,
                    in_channels=in_channels,
                    expanded_channels=in_channels * stage.expand_ratio,
                    out_channels=out_channels,
                    stride=stage.stride if first else 1,
                    se_channels=max(1, int(in_channels * stage.se_ratio)) if stage.se_ratio else 0,
                    drop_share=len(blocks) / sum(repeats),
                )
            )
    return Architecture(
        arch=arch,
        stem_channels=round_channels(stages[0].in_channels, width_coefficient),
        blocks=tuple(blocks),
        top_channels=round_channels(TOP_CHANNELS, width_coefficient),
        num_classes=num_classes,
    )
