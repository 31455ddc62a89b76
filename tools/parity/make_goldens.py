"""Writes test/parity/goldens anew."""

import shutil

import inference_goldens
import training_goldens
from common import GOLDENS


def main() -> None:
    shutil.rmtree(GOLDENS, ignore_errors=True)
    GOLDENS.mkdir(parents=True)
    inference_goldens.main()
    training_goldens.main()
    for path in GOLDENS.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main()
