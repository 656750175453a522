"""Figure of the rooms of the package and their imports, read from the source."""

import ast
from pathlib import Path

import matplotlib.pyplot as plt

import skhier

POSITIONS = {  # column, row
    "plotting": (0, 3), "theory": (1, 3), "datasets": (2, 3),
    "classifier": (0.5, 2), "generative": (2, 2),
    "embedding": (0, 1), "clustering": (1, 1),
    "_base": (1, 0),
}  # fmt: skip
CONTENTS = {
    "plotting": "displays", "theory": "bounds,\ncertificates", "datasets": "samples,\nreal images",
    "classifier": "blocks, heads,\nthe network", "generative": "the model:\nsamples, statistics",
    "embedding": "two-layer\nnetwork, solvers", "clustering": "k-means,\npatches, codes",
    "_base": "shapes, devices,\nparameters",
}  # fmt: skip


def imports():
    """Yield pairs (room, imported room); imports for type checkers do not count."""
    folder = Path(skhier.__file__).parent
    for path in folder.glob("*/*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.level == 2:
                for room in [node.module.split(".")[0]] if node.module else []:
                    if room in POSITIONS and path.parent.name in POSITIONS:
                        yield path.parent.name, room


fig, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
for room, other in sorted(set(imports())):
    if other != "_base":
        arrow = dict(arrowstyle="->", color="0.5", shrinkA=32, shrinkB=32, lw=1.2)
        ax.annotate("", POSITIONS[other], POSITIONS[room], arrowprops=arrow)
for room, position in POSITIONS.items():
    box = dict(boxstyle="round,pad=0.5", facecolor="#E8EEF4", edgecolor="#33638D")
    text = f"{room}\n{CONTENTS[room]}"
    ax.annotate(text, position, ha="center", va="center", color="black", fontsize=9, bbox=box)
ax.set(xlim=(-0.5, 2.5), ylim=(-0.5, 3.5))
ax.set_axis_off()
