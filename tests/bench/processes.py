"""What the kernel says of a process and its children: memory and time on a core. Linux; None elsewhere."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


def family(process_id: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(folder.name))
    found = [process_id]
    for each in found:
        found += children.get(each, [])
    return found


def resident_bytes(process_ids: list[int]) -> int | None:
    """Resident memory of all of them together."""
    total = 0
    for each in process_ids:
        try:
            lines = (_PROC / str(each) / "status").read_text().splitlines()
        except OSError:
            return None
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))
    return total


def seconds_on_a_core(process_ids: list[int]) -> float | None:
    """Time that their living threads have run so far."""
    total = 0
    for each in process_ids:
        try:
            for thread in (_PROC / str(each) / "task").iterdir():
                total += int((thread / "schedstat").read_text().split()[0])
        except OSError:
            return None
    return total / 1e9
