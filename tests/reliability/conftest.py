"""Reliability: what a tool that is trusted with weights and data must stand.

Each part of this folder disturbs a program in one manner and asks for the same two promises:
what is seen is one state, whole, and nothing hangs.

- `test_interrupts.py`: Ctrl-C, and errors, at every line of what moves the state.
- `test_threads.py`: threads that read while others write.
- `test_fork.py`: children forked from a process with open sessions.
- `test_resume.py`: training that goes on from a file, for every optimizer and kind of network.
- `test_kill.py`, `test_full_disk.py`: processes killed while they save, disks without room.
- `test_mutations.py`, `test_hostile_models.py`, `test_hostile_weights.py`: broken and evil files.
- `test_copies.py`: `pickle`, `copy.deepcopy` and `joblib` of used objects.

Every test starts with fresh names and the same seed, on the CPU.
"""

from support.sessions import fresh_session

__all__ = ["fresh_session"]
