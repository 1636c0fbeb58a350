"""
ONNX Runtime's own quantizers, for `npm run bench:peers`:
    python3 quantizers.py MODEL INPUTS OUTDIR
INPUTS is a folder of .npz files to calibrate with. Writes one model per way that works into OUTDIR and prints JSON
lines {"way", "path"} or {"way", "skipped"}.
"""

import json
import sys
import warnings
from pathlib import Path

import logging

import numpy as np

warnings.filterwarnings("ignore")
logging.disable(logging.WARNING)

import onnxruntime  # noqa: E402
from onnxruntime.quantization import (  # noqa: E402
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process  # noqa: E402

MODEL, INPUTS, OUT = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])


class Reader(CalibrationDataReader):
    def __init__(self):
        self.files = iter(sorted(INPUTS.glob("*.npz")))

    def get_next(self):
        file = next(self.files, None)
        return None if file is None else dict(np.load(file))


def prepare() -> str:
    """As ONNX Runtime's documentation asks for: fold constants and infer shapes first."""
    path = str(OUT / "prepared.onnx")
    for skip in (False, True):
        try:
            quant_pre_process(MODEL, path, skip_symbolic_shape=skip)
            return path
        except Exception:
            continue
    return MODEL


def raised(source: str, opset: int) -> str:
    """The same model at this operator set or a later one."""
    import onnx
    from onnx import version_converter

    model = onnx.load(source)
    if next(o.version for o in model.opset_import if o.domain == "") >= opset:
        return source
    path = str(OUT / f"raised-{opset}.onnx")
    onnx.save(version_converter.convert_version(model, opset), path)
    return path


def simplified(source: str) -> str:
    """The same model after onnxsim, where that is installed."""
    import onnx
    import onnxsim

    path = str(OUT / "simplified.onnx")
    model, same = onnxsim.simplify(onnx.load(source))
    if not same:
        raise ValueError("onnxsim's result does not give the same outputs")
    onnx.save(model, path)
    return path


def dynamic(path: str, source: str, weight: QuantType) -> None:
    quantize_dynamic(source, path, weight_type=weight, per_channel=True, reduce_range=False)


def static(path: str, source: str) -> None:
    quantize_static(
        source,
        path,
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
    )


def nbits(path: str, source: str, bits: int, ops: tuple[str, ...] = ("MatMul",)) -> None:
    import onnx
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

    model = onnx.load(source)
    tables = {constant.name for constant in model.graph.initializer if len(constant.dims) == 2}
    if "Gather" in ops and not any(
        node.op_type == "Gather" and node.input[0] in tables for node in model.graph.node
    ):
        raise ValueError("the model has no table")
    quantizer = MatMulNBitsQuantizer(
        model, bits=bits, block_size=32, is_symmetric=False, op_types_to_quantize=ops
    )
    quantizer.process()
    quantizer.model.save_model_to_file(path, False)


def main() -> None:
    print(json.dumps({"version": onnxruntime.__version__}), flush=True)
    source = prepare()
    ways = {
        "dynamic int8": lambda path: dynamic(path, source, QuantType.QInt8),
        "dynamic uint8": lambda path: dynamic(path, source, QuantType.QUInt8),
        "onnxsim, dynamic uint8": lambda path: dynamic(path, simplified(source), QuantType.QUInt8),
        "static QDQ int8": lambda path: static(path, raised(source, 13)),  # the first that scales per channel
        "MatMulNBits int4": lambda path: nbits(path, source, 4),
        # The first that has numbers of 4 bits, which tables are stored in.
        "MatMulNBits int4, tables too": lambda path: nbits(path, raised(source, 21), 4, ("MatMul", "Gather")),
    }
    for way, make in ways.items():
        path = str(OUT / (way.replace(",", "").replace(" ", "-") + ".onnx"))
        try:
            make(path)
            print(json.dumps({"way": way, "path": path}), flush=True)
        except Exception as error:
            print(json.dumps({"way": way, "skipped": f"{type(error).__name__}: {error}"[:200]}), flush=True)


main()
