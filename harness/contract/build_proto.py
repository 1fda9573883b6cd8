"""Builds the Protobuf bindings from `compose/proto/defi.proto` (`make proto`).

The harness and the reference services each get a copy, because neither imports the other.
"""

from __future__ import annotations

from pathlib import Path

from harness.data_files import DATA

SOURCE = DATA / "compose" / "proto"
TARGETS = (Path(__file__).parent, DATA / "compose" / "zone_b")


def build(target: Path) -> None:
    """Write `defi_pb2.py` and its stub into `target`.

    Raises:
        RuntimeError: the compiler refused the source.
    """
    from grpc_tools import protoc  # a development tool: absent from an ordinary install

    code = protoc.main(
        ["protoc", f"-I{SOURCE}", f"--python_out={target}", f"--pyi_out={target}", "defi.proto"]
    )
    if code != 0:
        raise RuntimeError(f"protoc ended with {code}")


if __name__ == "__main__":
    for folder in TARGETS:
        build(folder)
