"""Before anything is imported: one thread per operator, since tests share two cores with their servers."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
