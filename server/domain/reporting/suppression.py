"""Groups that are too small to show, and the groups beside them that must be hidden, too.

A group of fewer than `LEAST` patients is hidden. With the total of all groups, its size would still be the rest. So as many
groups beside it are hidden as leave at least two sizes possible for it.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Literal, TypeVar

LEAST = 5
Hidden = Literal["few", "beside"]
_Key = TypeVar("_Key", bound=Hashable)


def is_few(*sizes: int) -> bool:
    """Return whether a group with these counts is too small to show. An empty group is shown."""
    return any(0 < size < LEAST for size in sizes)


def protect(
    sizes: Mapping[_Key, tuple[int, ...]], lines: Iterable[Collection[_Key]] = (), also: Collection[_Key] = ()
) -> dict[_Key, Hidden]:
    """Return the groups to hide, each as ``few`` or as ``beside`` a small one.

    ``sizes`` are the counts of each group; a group is small if any of them is. The sum of each of the ``lines`` is shown
    elsewhere, for each count. ``also`` are groups to hide in any case. Where hiding every group of a line does not protect
    the small ones, no group of the line is told to be one of them.
    """
    hidden: dict[_Key, Hidden] = {key: "few" for key, of_key in sizes.items() if is_few(*of_key)}
    hidden |= {key: "beside" for key in also if key not in hidden and any(sizes.get(key, ()))}
    every = [[key for key in line if any(sizes.get(key, ()))] for line in lines]
    lost: list[list[_Key]] = []
    changed = True
    while changed:
        changed = False
        for line in every:
            while line not in lost and not _is_safe(sizes, line, hidden):
                rest = [key for key in line if key not in hidden]
                if not rest:
                    lost.append(line)
                    break
                hidden[min(rest, key=lambda key: sizes[key])] = "beside"
                changed = True
    return hidden | {key: "beside" for line in lost for key in line}


def _is_safe(sizes: Mapping[_Key, tuple[int, ...]], line: Sequence[_Key], hidden: Mapping[_Key, Hidden]) -> bool:
    mine = [sizes[key] for key in line if key in hidden]
    return all(_leaves_two(of_one) for of_one in zip(*mine, strict=True))


def _leaves_two(values: Sequence[int]) -> bool:
    """Return whether the sum of hidden values leaves at least two values possible for each small one."""
    few = sum(is_few(each) for each in values)
    if not few:
        return True
    large, total = sum(each >= LEAST for each in values), sum(values)
    if large:
        return total > few + LEAST * large
    return few > 1 and few < total < (LEAST - 1) * few
