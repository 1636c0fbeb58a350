"""Writes the golden files of this folder with the reference implementation (pip package onnx, 1.20 or newer).

descriptor.json          every message of onnx.proto: fields with number, label and type
everything.onnx          a model that uses every field of every message, each with fields unknown to onnx.proto
everything.expected.onnx what must stand in the file after reading and writing it: the same, but tensors in raw_data
changes.json             operators whose inputs, outputs or attributes changed between operator sets 7 and 21 so that an
                         old node is not a new one
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, defs, helper, numpy_helper
from onnx import onnx_ml_pb2 as pb

HERE = pathlib.Path(__file__).parent
FIELD_TYPES = {1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 9: "string", 12: "bytes", 14: "int32"}


def descriptor():
    found = {}

    def visit(message):
        found[message.full_name.removeprefix("onnx.")] = {
            field.name: {
                "no": field.number,
                "repeated": field.is_repeated,
                "packed": field.is_packed,
                "type": field.message_type.full_name.removeprefix("onnx.") if field.message_type else FIELD_TYPES[field.type],
            }
            for field in message.fields
        }
        for nested in message.nested_types:
            visit(nested)

    for message in pb.DESCRIPTOR.message_types_by_name.values():
        visit(message)
    return found


def fill(message, depth=0):
    """Puts something into each empty field, so that no field is missing from the test."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated:
            if len(getattr(message, field.name)) == 0:
                if field.message_type:
                    if depth < 4:
                        fill(getattr(message, field.name).add(), depth + 1)
                else:
                    getattr(message, field.name).extend([scalar(field)] * 2)
        elif not message.HasField(field.name):
            if field.containing_oneof and message.WhichOneof(field.containing_oneof.name):
                continue
            if field.message_type:
                if depth < 4:
                    fill(getattr(message, field.name), depth + 1)
            else:
                setattr(message, field.name, scalar(field))
    return message


def scalar(field):
    return {
        1: 0.1, 2: 0.25, 3: -(2**62) - field.number, 4: 2**63 + field.number, 5: -field.number,
        9: f"{field.name} ü", 12: b"\xff\x00" + field.name.encode(), 14: 1,
    }[field.type]


def add_unknown(message):
    """Adds fields that onnx.proto does not have to a message and to all inside it."""
    for field, value in message.ListFields():
        if field.message_type:
            for inner in value if field.is_repeated else [value]:
                add_unknown(inner)
    # Field 2000: a varint; field 2001: bytes; field 2002: a group with a 32-bit number; 2003: 64 bits.
    message.MergeFromString(bytes.fromhex("807d96018a7d03414243937d0d01020304947d997d0102030405060708"))


def tensors():
    """Every dtype twice: in its typed field and in raw_data."""
    result = []
    for name, code in TensorProto.DataType.items():
        if name in ("UNDEFINED", "STRING"):
            continue
        typed = TensorProto(name=f"{name} typed", data_type=code, dims=[3])
        if name in ("FLOAT", "COMPLEX64"):
            typed.float_data.extend([0.1, -2.5, float("inf")] * (2 if name == "COMPLEX64" else 1))
        elif name in ("DOUBLE", "COMPLEX128"):
            typed.double_data.extend([0.1, -2.5, float("nan")] * (2 if name == "COMPLEX128" else 1))
        elif name == "INT64":
            typed.int64_data.extend([-(2**63), 2**63 - 1, 300])
        elif name in ("UINT32", "UINT64"):
            typed.uint64_data.extend([0, 2**32 - 1, 2**64 - 1 if name == "UINT64" else 7])
        elif name in ("UINT4", "INT4", "FLOAT4E2M1"):
            typed.int32_data.extend([0xA5, 0x0C])
        elif name in ("UINT2", "INT2"):
            typed.int32_data.extend([0x1B])
        elif name.startswith("FLOAT6"):
            typed.int32_data.extend([0x3F, 0x15, 0x2A])
        elif name == "BOOL":
            typed.int32_data.extend([1, 0, 1])
        elif name in ("INT8", "INT16", "INT32"):
            bits = int(name[3:])
            typed.int32_data.extend([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1, -1])
        else:
            wide = name in ("UINT16", "FLOAT16", "BFLOAT16")
            typed.int32_data.extend([0xFFFE if wide else 0xFE, 1, 0x80])
        result.append(typed)
        result.append(TensorProto(name=f"{name} raw", data_type=code, dims=[3], raw_data=raw_bytes(typed)))
    return result


def raw_bytes(tensor):
    """The elements as raw_data has them, by the reference implementation."""
    if tensor.data_type in (TensorProto.FLOAT6E2M3, TensorProto.FLOAT6E3M2):
        bits = sum(value << (6 * i) for i, value in enumerate(tensor.int32_data))
        return bits.to_bytes(-(-6 * len(tensor.int32_data) // 8), "little")
    array = numpy_helper.to_array(tensor)
    return numpy_helper.from_array(array).raw_data


def value_info(name, *shape, elem=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, elem, shape)


def everything():
    inner_weight = numpy_helper.from_array(np.float32([1, 2]), "inner weight")
    then_branch = helper.make_graph(
        [helper.make_node("Add", ["captured", "inner weight"], ["then out"])],
        "then", [], [onnx.ValueInfoProto(name="then out")], [inner_weight],
    )
    else_branch = helper.make_graph(
        [helper.make_node("Mul", ["captured", "x"], ["else out"])], "else", [], [value_info("else out", 2)]
    )
    string_tensor = TensorProto(name="words", data_type=TensorProto.STRING, dims=[2, 1], string_data=[b"\xff\xfe", b""])
    sparse = helper.make_sparse_tensor(
        numpy_helper.from_array(np.float32([5, 6]), "sparse"), numpy_helper.from_array(np.int64([1, 3])), [2, 2]
    )
    attributes = helper.make_node("Everything", ["x", "", "words", "sparse"], ["captured", "", "z"], "all attributes", domain="ours")
    attributes.overload = "o"
    values = dict(
        f=1.5, i=-3, s=b"\x00\xff", floats=[1.5, 2.0], ints=[1, -1, 2**62], strings=[b"a", b""],
        t=numpy_helper.from_array(np.int64([7]), "named"), tensors=[numpy_helper.from_array(np.float16([1]))],
        sparse_tensor=sparse, sparse_tensors=[sparse],
        tp=helper.make_tensor_type_proto(1, ["n", 2]),
        type_protos=[helper.make_optional_type_proto(helper.make_sequence_type_proto(helper.make_tensor_type_proto(7, None)))],
        g=helper.make_graph([helper.make_node("Neg", ["x"], ["g out"])], "g", [], [value_info("g out", 2)]),
        graphs=[helper.make_graph([helper.make_node("Abs", ["x"], ["gs out"])], "gs", [], [value_info("gs out", 2)])],
    )
    for key, value in values.items():
        attributes.attribute.append(helper.make_attribute(key, value))
    attributes.attribute[0].doc_string = "documented"
    attributes.device_configurations.append(fill(pb.NodeDeviceConfigurationProto()))
    branch = helper.make_node("If", ["cond"], ["y"], then_branch=then_branch, else_branch=else_branch)
    use_all = helper.make_node("Use", [t.name for t in tensors()], ["used"], domain="ours")

    graph = helper.make_graph(
        [attributes, branch, use_all], "main",
        [value_info("x", "batch", 2), value_info("cond", elem=TensorProto.BOOL), value_info("defaulted", 1)],
        [value_info("y", None), value_info("z", 2), value_info("used", 0)],
        tensors() + [string_tensor, numpy_helper.from_array(np.float32([3]), "defaulted")],
        "graph doc", [value_info("captured", "batch"), value_info("gone", 4), value_info("z", 2)], [sparse],
    )
    graph.input[0].type.denotation = "IMAGE"
    graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    graph.input.append(onnx.ValueInfoProto(name="map", type=pb.TypeProto(
        map_type=pb.TypeProto.Map(key_type=8, value_type=helper.make_tensor_type_proto(1, [-1])))))
    graph.input.append(onnx.ValueInfoProto(name="opaque", type=pb.TypeProto(
        opaque_type=pb.TypeProto.Opaque(domain="d", name="n"))))
    graph.input.append(onnx.ValueInfoProto(name="strange", type=helper.make_tensor_type_proto(99, [1])))
    graph.input.append(helper.make_tensor_sequence_value_info("sequence", 1, None))
    graph.input.append(helper.make_sparse_tensor_value_info("sparse input", 1, [2, "k"]))
    graph.input.append(onnx.ValueInfoProto(name="empty type", type=pb.TypeProto()))
    graph.quantization_annotation.append(fill(pb.TensorAnnotation()))
    graph.initializer[0].doc_string = "weight doc"

    model = helper.make_model(graph, producer_name="golden", ir_version=13, opset_imports=[
        helper.make_opsetid("", 21), helper.make_opsetid("ours", 1)])
    function = helper.make_function(
        "ours", "Everything", ["a", "b", "c", "d"], ["p", "q", "r"],
        [helper.make_node("LeakyRelu", ["a"], ["p"], name="inside"), helper.make_node("Neg", ["p"], ["q"]),
         helper.make_node("Abs", ["q"], ["r"])],
        [helper.make_opsetid("", 21)], ["alpha"], [helper.make_attribute("beta", 0.5)],
    )
    reference = function.node[0].attribute.add()
    reference.name, reference.ref_attr_name, reference.type = "alpha", "alpha", pb.AttributeProto.FLOAT
    function.value_info.append(value_info("p", 2))
    function.overload = "o"
    model.functions.append(function)
    model.training_info.append(fill(pb.TrainingInfoProto()))
    model.configuration.append(fill(pb.DeviceConfigurationProto()))
    model.domain, model.model_version, model.doc_string = "org.example", 2**60, "model doc"
    model.producer_version = "1.0"
    for message in [model, graph, function, *graph.node, graph.input[0], graph.output[0], graph.initializer[0],
                    graph.value_info[0]]:
        for i in range(2):
            message.metadata_props.add(key=f"key {i}", value="wert ü")
        if not message.doc_string:
            message.doc_string = "doc"
    add_unknown(model)
    return model


def expected(model):
    """Typed data of tensors becomes raw_data; training information is not touched."""
    def convert(tensor):
        if tensor.data_type != TensorProto.STRING and not tensor.HasField("raw_data"):
            raw = raw_bytes(tensor)
            for field in ("float_data", "double_data", "int32_data", "int64_data", "uint64_data"):
                tensor.ClearField(field)
            tensor.raw_data = raw

    def visit(message):
        if isinstance(message, TensorProto):
            convert(message)
        for field, value in message.ListFields():
            if field.message_type and field.name != "training_info":
                for inner in value if field.is_repeated else [value]:
                    visit(inner)

    visit(model)
    return model


def breaking_changes():
    """Inputs and attributes that went away or whose defaults changed, by operator and version."""
    history = {}
    for schema in defs.get_all_schemas_with_history():
        if schema.domain == "":
            history.setdefault(schema.name, []).append(schema)

    def attribute(schema, name):
        value = schema.attributes[name]
        return value.default_value.SerializeToString() if value.default_value.type else None

    found = []
    for name, schemas in sorted(history.items()):
        schemas.sort(key=lambda schema: schema.since_version)
        for old, new in zip(schemas, schemas[1:]):
            if not 7 < new.since_version <= 21:
                continue
            gone = [a for a in old.attributes if a not in new.attributes]
            other = [a for a in old.attributes if a in new.attributes and attribute(old, a) != attribute(new, a)]
            fewer = len(new.outputs) < len(old.outputs) or len(new.inputs) < len(old.inputs)
            shifted = [i.name for i in old.inputs[1:] if i.name not in [j.name for j in new.inputs[: len(old.inputs)]]]
            if gone or other or fewer or shifted or new.deprecated:
                found.append({"op": name, "version": new.since_version})
    return found


def main():
    (HERE / "changes.json").write_text(json.dumps(breaking_changes(), indent=1) + "\n")
    (HERE / "descriptor.json").write_text(json.dumps(descriptor(), indent=1) + "\n")
    model = everything()
    (HERE / "everything.onnx").write_bytes(model.SerializeToString(deterministic=True))
    (HERE / "everything.expected.onnx").write_bytes(expected(model).SerializeToString(deterministic=True))


main()
