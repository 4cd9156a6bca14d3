"""Data that several files of training tests share."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.training.runs import coloured, png


@pytest.fixture(scope="session")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, rng = tmp_path_factory.mktemp("parquet"), np.random.default_rng(0)
    for split, count in (("train", 48), ("validation", 24)):
        labels = [i % 3 for i in range(count)]
        images = [{"bytes": png(coloured(label, rng)), "path": None} for label in labels]
        boxes = [[1, 2, 30, 40]] * count
        table = pa.table({"image": images, "label": pa.array(labels, pa.int16()), "bbox": boxes})
        half = count // 2
        pq.write_table(table.slice(0, half), root / f"{split}-00000-of-00002.parquet")
        pq.write_table(table.slice(half), root / f"{split}-00001-of-00002.parquet")
    rows = "".join(f"{i}\tn0000000{i}\t{name}\n" for i, name in enumerate(("red", "green", "blue")))
    (root / "classes.tsv").write_text("label\twnid\twords\n" + rows)
    return root
