"""Data sets for worker processes: in a module of their own, which a process imports quickly."""

from __future__ import annotations

import os
import random
import signal
import threading
import time

import numpy as np

from seqonnx.data.py_dataset import PyDataset


class Numbers(PyDataset):
    """Batch number i holds i, plus what the hooks have counted; early ones take longest."""

    def __init__(self, count=6, slow=0.0, **options):
        super().__init__(**options)
        self.count, self.slow, self.epochs = count, slow, 0

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        time.sleep(self.slow * (self.count - index))
        return np.full((2, 1), index, np.float32), np.full((2, 1), index + 100 * self.epochs)

    def on_epoch_end(self):
        self.epochs += 1


class Endless(PyDataset):
    num_batches = None

    def __getitem__(self, index):
        return np.full((1, 1), index, np.float32), np.full((1, 1), index)


class Noting(Numbers):
    """Leaves a file by the number of each batch that it makes, in a process."""

    def __init__(self, folder):
        super().__init__(3, use_multiprocessing=True)
        self.folder = folder

    def __getitem__(self, index):
        open(os.path.join(self.folder, str(index)), "x").close()
        return super().__getitem__(index)


class Large(Numbers):
    """Batches, and a data set that is another one in each epoch, larger than what a pipe takes."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.table = np.zeros((1 << 17,), np.float32)

    def __getitem__(self, index):
        return np.zeros((1, 1 << 17), np.float32), np.full((1, 1), index + self.table[0])

    def on_epoch_end(self):
        self.table += 1


class Drawing(Numbers):
    def __getitem__(self, index):
        return np.zeros((1, 1)), np.array([[random.random() + np.random.rand() * 10]])


class Broken(Numbers):
    """Batch 2 cannot be made, each time for the reason `how`."""

    def __init__(self, how, **options):
        super().__init__(**options)
        self.how = how

    def __getitem__(self, index):
        if index == 2:
            if self.how == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "is no data":
                return np.array(["a", "b"]), np.zeros(2)
            raise OpenError("no such picture", index)
        return super().__getitem__(index)


class OpenError(Exception):
    """An error that `pickle` cannot make again."""

    def __init__(self, text, number):
        super().__init__(f"{text}: {number}")


class Opening(Numbers):
    """Holds something open that cannot be pickled from the first batch on."""

    opened = None

    def __getitem__(self, index):
        self.opened = self.opened or threading.Lock()
        return super().__getitem__(index)


class Where(Numbers):
    def __getitem__(self, index):
        return np.zeros((1, 1)), np.full((1, 1), os.getpid())


class Same(Numbers):
    def on_epoch_end(self):
        pass


class Stuck(Same):
    def __getitem__(self, index):
        if index > 3:
            time.sleep(60)
        return super().__getitem__(index)
