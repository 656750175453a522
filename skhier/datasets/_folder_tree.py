"""The files of a folder of images: labels, splits and clutter."""

import os
from typing import NamedTuple

from ._io import MAX_LISTED

_TRAIN = {"train", "training"}
_HELD_OUT = {"test", "testing", "val", "valid", "validation"}
# What operating systems, archives and data sets put among images.
_CLUTTER_FILES = {
    *("thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "icon\r"),
    *(name + end for name in ("readme", "license") for end in ("", ".txt", ".md", ".rst")),
}
_CLUTTER_FOLDERS = {
    *("$recycle.bin", "system volume information", "lost+found", "__macosx", "@eadir"),
}
REMEDY = "Move them elsewhere, or begin their names with a dot: then they are ignored."


class LabeledFiles(NamedTuple):
    """Paths and labels of files, training images first; `n_train` is None without a split."""

    paths: list
    labels: list
    n_train: int | None


def find_labeled_files(root):
    """Return the LabeledFiles of a folder with one subfolder for each label, or with a split.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If the folder holds files, a subfolder holds none, or labels lie deeper.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"There is no folder {str(root)!r}.")
    subfolders = _label_folders(root)
    is_nested = any(map(_holds_only_folders, subfolders))
    parts = _split_folders(root, subfolders) if is_nested else None
    train, held_out = [
        [(path, folder.name) for folder in folders for path in _sorted_files(folder, root)]
        for folders in (map(_label_folders, parts) if parts else (subfolders, []))
    ]
    unknown = sorted({label for _, label in held_out} - {label for _, label in train})
    if unknown:
        raise ValueError(
            f"The labels {unknown[:MAX_LISTED]} of {str(parts[1])!r} are not in {str(parts[0])!r}: "
            "a label needs training images. Add them, or load the folders one by one."
        )
    paths, labels = zip(*train, *held_out)
    return LabeledFiles(list(paths), list(labels), len(train) if parts else None)


def _entries(folder):
    """Return the files and folders in a folder, sorted by name, without hidden ones and clutter."""
    entries = [
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and not _is_clutter(entry)
    ]
    return sorted(entries, key=lambda entry: entry.name)


def _is_clutter(entry):
    names = _CLUTTER_FOLDERS if entry.is_dir() else _CLUTTER_FILES
    return entry.name.casefold() in names


def _label_folders(root):
    """Return the subfolders of a folder; ValueError if it holds files, or nothing."""
    entries = _entries(root)
    stray = [entry for entry in entries if not entry.is_dir()]
    dangling = [entry.name for entry in stray if not entry.exists()]
    if stray or not entries:
        start = f"{str(root)!r} must hold one subfolder of images for each label, but it "
        if dangling:
            raise ValueError(
                f"{start}holds the links {dangling[:MAX_LISTED]}, which lead nowhere. Restore the "
                "folders that they link to, or remove the links."
            )
        if stray:
            names = [entry.name for entry in stray]
            raise ValueError(f"{start}holds the files {names[:MAX_LISTED]}. {REMEDY}")
        raise ValueError(f"{start}is empty.")
    return entries


def _is_own_folder(entry):
    """Return whether an entry is a folder, and no link to one."""
    return entry.is_dir() and not entry.is_symlink()


def _holds_only_folders(folder):
    """Return whether a folder holds folders, and nothing else."""
    entries = _entries(folder)
    return bool(entries) and all(map(_is_own_folder, entries))


def _split_folders(root, subfolders):
    """Return the folders of training and of held-out images, or None if there is no split.

    Raises
    ------
    ValueError
        If the names of `subfolders`, of which one holds only folders, cannot be labels.
    """
    names = [folder.name.casefold() for folder in subfolders]
    are_nested = all(map(_holds_only_folders, subfolders))
    inner = {tuple(entry.name for entry in _entries(folder)) for folder in subfolders}
    are_parts = set(names) <= _TRAIN | _HELD_OUT
    if are_nested and len(names) == 2:
        for train, held_out in (subfolders, subfolders[::-1]):
            if train.name.casefold() in _TRAIN and held_out.name.casefold() in _HELD_OUT:
                return train, held_out
    if are_parts or (are_nested and len(inner) == 1):
        deep = [folder for folder in subfolders if _holds_only_folders(folder)]
        first = next((folder for folder in deep if folder.name.casefold() in _TRAIN), deep[0])
        deeper = [entry.name for entry in _entries(first)]
        raise ValueError(
            f"The subfolders {[folder.name for folder in subfolders][:MAX_LISTED]} of "
            f"{str(root)!r} cannot be the labels: {first.name!r} holds no images, but the "
            f"subfolders {deeper[:MAX_LISTED]}. To load them as labels, pass path={str(first)!r}. "
            "To load a training and a test part, keep two subfolders, 'train' and 'test', with one "
            f"subfolder for each label. To keep {first.name!r} as a label, move its images "
            "directly into it."
        )
    return None


def _sorted_files(folder, root):
    """Return the paths of all files below a folder relative to `root`, sorted."""
    files = [file.relative_to(root) for file in _files_below(folder)]
    if not files:
        raise ValueError(
            f"The subfolder {folder.name!r} of {str(folder.parent)!r} holds no files. Add images, "
            "or remove it."
        )
    return sorted(files, key=lambda file: file.parts)


def _files_below(folder):
    """Yield all files and dangling links below a folder; links to folders are not followed."""
    folders = [folder]
    while folders:
        for entry in _entries(folders.pop()):
            if entry.is_file() or (entry.is_symlink() and not os.path.exists(entry)):
                yield entry
            elif _is_own_folder(entry):
                folders.append(entry)
