import type { Payload } from './payload.js';

/**
 * The messages of `onnx.proto` (IR version 14), as data: label, type, field number. Names are the proto's in
 * camel case, in its order. Fields that carry weights are `payload`: their bytes stay where they are.
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
export const ONNX = {
  ModelProto: {
    irVersion: optional('int64', 1),
    opsetImport: repeated('OperatorSetIdProto', 8),
    producerName: optional('string', 2),
    producerVersion: optional('string', 3),
    domain: optional('string', 4),
    modelVersion: optional('int64', 5),
    docString: optional('string', 6),
    graph: optional('GraphProto', 7),
    metadataProps: repeated('StringStringEntryProto', 14),
    trainingInfo: repeated('TrainingInfoProto', 20),
    functions: repeated('FunctionProto', 25),
    configuration: repeated('DeviceConfigurationProto', 26),
  },
  OperatorSetIdProto: {
    domain: optional('string', 1),
    version: optional('int64', 2),
  },
  StringStringEntryProto: {
    key: optional('string', 1),
    value: optional('string', 2),
  },
  GraphProto: {
    node: repeated('NodeProto', 1),
    name: optional('string', 2),
    initializer: repeated('TensorProto', 5),
    sparseInitializer: repeated('SparseTensorProto', 15),
    docString: optional('string', 10),
    input: repeated('ValueInfoProto', 11),
    output: repeated('ValueInfoProto', 12),
    valueInfo: repeated('ValueInfoProto', 13),
    quantizationAnnotation: repeated('TensorAnnotation', 14),
    metadataProps: repeated('StringStringEntryProto', 16),
  },
  FunctionProto: {
    name: optional('string', 1),
    input: repeated('string', 4),
    output: repeated('string', 5),
    attribute: repeated('string', 6),
    attributeProto: repeated('AttributeProto', 11),
    node: repeated('NodeProto', 7),
    docString: optional('string', 8),
    opsetImport: repeated('OperatorSetIdProto', 9),
    domain: optional('string', 10),
    overload: optional('string', 13),
    valueInfo: repeated('ValueInfoProto', 12),
    metadataProps: repeated('StringStringEntryProto', 14),
  },
  NodeProto: {
    input: repeated('string', 1),
    output: repeated('string', 2),
    name: optional('string', 3),
    opType: optional('string', 4),
    domain: optional('string', 7),
    overload: optional('string', 8),
    attribute: repeated('AttributeProto', 5),
    docString: optional('string', 6),
    metadataProps: repeated('StringStringEntryProto', 9),
    deviceConfigurations: repeated('NodeDeviceConfigurationProto', 10),
  },
  AttributeProto: {
    name: optional('string', 1),
    refAttrName: optional('string', 21),
    docString: optional('string', 13),
    type: optional('int32', 20),
    f: optional('float', 2),
    i: optional('int64', 3),
    s: optional('bytes', 4),
    t: optional('TensorProto', 5),
    g: optional('GraphProto', 6),
    sparseTensor: optional('SparseTensorProto', 22),
    tp: optional('TypeProto', 14),
    floats: repeated('float', 7),
    ints: repeated('int64', 8),
    strings: repeated('bytes', 9),
    tensors: repeated('TensorProto', 10),
    graphs: repeated('GraphProto', 11),
    sparseTensors: repeated('SparseTensorProto', 23),
    typeProtos: repeated('TypeProto', 15),
  },
  TensorProto: {
    dims: repeated('int64', 1),
    dataType: optional('int32', 2),
    segment: optional('Segment', 3),
    floatData: packed('float', 4),
    int32Data: packed('int32', 5),
    stringData: repeated('bytes', 6),
    int64Data: packed('int64', 7),
    name: optional('string', 8),
    docString: optional('string', 12),
    rawData: optional('payload', 9),
    externalData: repeated('StringStringEntryProto', 13),
    dataLocation: optional('int32', 14),
    doubleData: packed('double', 10),
    uint64Data: packed('uint64', 11),
    metadataProps: repeated('StringStringEntryProto', 16),
  },
  Segment: {
    begin: optional('int64', 1),
    end: optional('int64', 2),
  },
  SparseTensorProto: {
    values: optional('TensorProto', 1),
    indices: optional('TensorProto', 2),
    dims: repeated('int64', 3),
  },
  ValueInfoProto: {
    name: optional('string', 1),
    type: optional('TypeProto', 2),
    docString: optional('string', 3),
    metadataProps: repeated('StringStringEntryProto', 4),
  },
  TypeProto: {
    tensorType: optional('TensorTypeProto', 1),
    sequenceType: optional('SequenceTypeProto', 4),
    mapType: optional('MapTypeProto', 5),
    optionalType: optional('SequenceTypeProto', 9),
    sparseTensorType: optional('TensorTypeProto', 8),
    opaqueType: optional('OpaqueTypeProto', 7),
    denotation: optional('string', 6),
  },
  TensorTypeProto: {
    elemType: optional('int32', 1),
    shape: optional('TensorShapeProto', 2),
  },
  /** `TypeProto.Sequence` and `TypeProto.Optional`, which look alike. */
  SequenceTypeProto: {
    elemType: optional('TypeProto', 1),
  },
  MapTypeProto: {
    keyType: optional('int32', 1),
    valueType: optional('TypeProto', 2),
  },
  OpaqueTypeProto: {
    domain: optional('string', 1),
    name: optional('string', 2),
  },
  TensorShapeProto: {
    dim: repeated('Dimension', 1),
  },
  Dimension: {
    dimValue: optional('int64', 1),
    dimParam: optional('string', 2),
    denotation: optional('string', 3),
  },
  TensorAnnotation: {
    tensorName: optional('string', 1),
    quantParameterTensorNames: repeated('StringStringEntryProto', 2),
  },
  TrainingInfoProto: {
    initialization: optional('GraphProto', 1),
    algorithm: optional('GraphProto', 2),
    initializationBinding: repeated('StringStringEntryProto', 3),
    updateBinding: repeated('StringStringEntryProto', 4),
  },
  DeviceConfigurationProto: {
    name: optional('string', 1),
    numDevices: optional('int32', 2),
    device: repeated('string', 3),
  },
  NodeDeviceConfigurationProto: {
    configurationId: optional('string', 1),
    shardingSpec: repeated('ShardingSpecProto', 2),
    pipelineStage: optional('int32', 3),
  },
  ShardingSpecProto: {
    tensorName: optional('string', 1),
    device: repeated('int64', 2),
    indexToDeviceGroupMap: repeated('IntIntListEntryProto', 3),
    shardedDim: repeated('ShardedDimProto', 4),
  },
  IntIntListEntryProto: {
    key: optional('int64', 1),
    value: repeated('int64', 2),
  },
  ShardedDimProto: {
    axis: optional('int64', 1),
    simpleSharding: repeated('SimpleShardedDimProto', 2),
  },
  SimpleShardedDimProto: {
    dimValue: optional('int64', 1),
    dimParam: optional('string', 2),
    numShards: optional('int64', 3),
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Field>>>>;

/** `AttributeProto.AttributeType`. */
export const ATTRIBUTE_TYPES = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  tensors: 9,
  graphs: 10,
  sparse: 11,
  sparses: 12,
  type: 13,
  types: 14,
} as const;

/** What each scalar type is in JavaScript. Integers are bigint only where a number would lose digits. */
interface Scalars {
  float: number;
  double: number;
  int32: number;
  int64: number | bigint;
  uint64: number | bigint;
  string: string;
  bytes: Uint8Array;
  payload: Payload;
}

export interface Field<Label extends string = string, Type extends string = string> {
  readonly label: Label;
  readonly type: Type;
  readonly no: number;
}

export type MessageName = keyof typeof ONNX;

type ValueOf<Type> = Type extends keyof Scalars
  ? Scalars[Type]
  : Type extends MessageName
    ? Message<Type>
    : never;

type FieldValue<F> =
  F extends Field<infer Label, infer Type>
    ? Label extends 'repeated'
      ? ValueOf<Type>[]
      : Label extends 'packed'
        ? Payload
        : ValueOf<Type>
    : never;

/** A decoded message; fields that the bytes did not have are absent. */
export type Message<Name extends MessageName> = {
  -readonly [K in keyof (typeof ONNX)[Name]]?: FieldValue<(typeof ONNX)[Name][K]>;
} & {
  /** Fields that the table does not know, as they stood in the file, tags included. */
  unknown?: Payload[];
};

function optional<const Type extends string>(type: Type, no: number): Field<'optional', Type> {
  return { label: 'optional', type, no };
}

function repeated<const Type extends string>(type: Type, no: number): Field<'repeated', Type> {
  return { label: 'repeated', type, no };
}

/** Repeated numbers whose packed bytes stay where they are. */
function packed<const Type extends string>(type: Type, no: number): Field<'packed', Type> {
  return { label: 'packed', type, no };
}
