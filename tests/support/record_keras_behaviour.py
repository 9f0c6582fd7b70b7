"""Record what real Keras gives for the table.

    KERAS_BACKEND=tensorflow PYTHONPATH=tests python tests/support/record_keras_behaviour.py

Recorded with Keras 3.15.1, whose TensorFlow backend has everything. Names that are recorded already
are left as they are, but for those given as arguments. The tests do not need Keras.
"""

from __future__ import annotations

import json
import sys

import keras

from support.behaviour.every import CASES
from support.behaviour.table import FILE, plain, recorded


def main() -> None:
    """Write the file."""
    known = recorded() if FILE.exists() else {}
    values = {}
    for path in sorted(CASES):
        if path in known and path not in sys.argv[1:]:
            values[path] = known[path]
            continue
        keras.utils.clear_session()
        try:
            values[path] = plain(CASES[path](keras))
        except Exception as error:  # the other names are recorded all the same
            print(path, type(error).__name__, str(error)[:300])
    lines = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in values.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", "utf-8")


if __name__ == "__main__":
    main()
