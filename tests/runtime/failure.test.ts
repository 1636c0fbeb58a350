import { expect, it } from 'vitest';
import { WhittleError } from '../../src/graph/errors.js';
import { ortFailure } from '../../src/runtime/failure.js';

it.each([
  [
    'Load model from a/b.onnx failed:Node (cv) Op (Conv) [ShapeInferenceError] Attribute kernel_shape has incorrect size',
    'loading: Conv: Attribute kernel_shape has incorrect size (node "cv")',
  ],
  [
    'Load model from a.onnx failed:This is an invalid model. In Node, ("foo", Foo, "x.y", -1) : ("a": tensor(float),) -> ("y": tensor(float),) , Error No opset import for domain \'x.y\'',
    'loading: No opset import for domain \'x.y\' (node "foo")',
  ],
  ['This is an invalid model. Error: the graph is not acyclic.', 'loading: the graph is not acyclic'],
  [
    "Could not find an implementation for Identity(21) node with name 'i4'",
    'loading: Could not find an implementation for Identity(21) node with name \'i4\' (node "i4")',
  ],
  [
    "Non-zero status code returned while running Add node. Name:'sum' Status Message: /src/onnxruntime/core/element_wise_ops.h:563 void onnxruntime::BroadcastIterator::Init(ptrdiff_t, ptrdiff_t) axis == 1 || axis == largest was false. Attempting to broadcast an axis by a dimension other than 1. 3 by 5\n",
    'loading: Add: Attempting to broadcast an axis by a dimension other than 1. 3 by 5 (node "sum")',
  ],
  [
    "failed to call OrtRun(). ERROR_CODE: 1, ERROR_MESSAGE: Non-zero status code returned while running Reshape node. Name:'r' Status Message: /src/reshape_helper.h:91 onnxruntime::ReshapeHelper::ReshapeHelper(const onnxruntime::TensorShape&, bool) a == b was false. The input tensor cannot be reshaped.",
    'loading: Reshape: The input tensor cannot be reshaped (node "r")',
  ],
  [
    '/src/onnxruntime/core/graph/model_load_utils.h:46 void onnxruntime::ValidateOpset(const std::unordered_map<std::__cxx11::basic_string<char>, int>&, int) ONNX Runtime only guarantees support for released opsets.',
    'loading: ONNX Runtime only guarantees support for released opsets',
  ],
  [
    '/src/webgpu_context.cc:136 onnxruntime::webgpu::Initialize(const Config&)::<lambda()> adapter_result.status == wgpu::Success was false. Failed to get a WebGPU adapter: No supported adapters\n',
    'loading: Failed to get a WebGPU adapter: No supported adapters',
  ],
  ['Something else.', 'loading: Something else'],
])('keeps the sentence of %j', (message, expected) => {
  const cause = new Error(message);
  const failure = ortFailure('loading', cause);
  expect(failure.message).toBe(expected);
  expect(failure.cause).toBe(cause);
});

it('leaves our own errors as they are', () => {
  const error = new WhittleError('no');
  expect(ortFailure('loading', error)).toBe(error);
});
