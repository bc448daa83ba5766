"""The networks: `NETS` maps a name to a builder of `classes`, `input_size` and its own arguments."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn


class CourseCNN(nn.Module):
    """The course's CNN: conv blocks of Conv3×3 → BatchNorm → ReLU → MaxPool2, then two linear layers.

    Takes float32 (N, 3, s, s), normalised; gives logits (N, classes). With the defaults 1,147,914
    parameters, named as in the course's script (`conv1 bn1 … fc1 fc2`), so that its `state_dict` loads.
    Every activation is a module of its own, none in place: hooks see each one's output, unaltered.
    """

    def __init__(
        self,
        classes: int = 10,
        widths: Sequence[int] = (32, 64, 128),
        input_size: int = 32,
        hidden: int = 512,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        side = input_size >> len(widths)
        if not widths:
            raise ValueError("The course CNN needs at least one block; give a width for each.")
        if side < 1:
            raise ValueError(f"{len(widths)} blocks halve an input of {input_size} px to nothing; use fewer.")
        self.depth = len(widths)
        for block, (narrow, wide) in enumerate(zip((3, *widths), widths, strict=False), start=1):
            self.add_module(f"conv{block}", nn.Conv2d(narrow, wide, kernel_size=3, padding=1))
            self.add_module(f"bn{block}", nn.BatchNorm2d(wide))
            self.add_module(f"relu{block}", nn.ReLU())
            self.add_module(f"pool{block}", nn.MaxPool2d(2))
        self.fc1 = nn.Linear(widths[-1] * side * side, hidden)
        self.relu_fc = nn.ReLU()
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, classes)

    def forward(self, x: Tensor) -> Tensor:
        # ReLU and max commute; pooling first leaves ReLU a quarter of the work. Only while training:
        # in eval mode the course's order is what the explorer shows.
        stages = ("conv", "bn", "pool", "relu") if self.training else ("conv", "bn", "relu", "pool")
        for block in range(1, self.depth + 1):
            for stage in stages:
                x = self.get_submodule(f"{stage}{block}")(x)
        hidden = self.relu_fc(self.fc1(x.flatten(1)))
        logits: Tensor = self.fc2(self.dropout(hidden))
        return logits


NETS: dict[str, Callable[..., nn.Module]] = {
    "course": CourseCNN,
}
