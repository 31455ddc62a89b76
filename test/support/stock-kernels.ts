/** Stock TF.js kernels that a backend must bring for models, their gradients and the engine itself. */
export const STOCK_KERNELS: readonly string[] = [
  ...['Identity', 'Cast', 'Reshape', 'ExpandDims', 'Transpose', 'Tile', 'BroadcastTo', 'PadV2'],
  ...['Add', 'AddN', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'Pow'],
  ...['Neg', 'Abs', 'Exp', 'Log', 'Sqrt', 'Rsqrt', 'Square', 'Sigmoid', 'Tanh', 'Relu', 'Erf'],
  ...['Sum', 'Mean', 'Max', 'Min', 'ArgMax', 'Softmax', 'Cumsum', 'TopK'],
  ...['Slice', 'StridedSlice', 'Concat', 'SplitV', 'Pack', 'Unpack', 'GatherV2', 'ScatterNd', 'OneHot'],
  ...['Fill', 'ZerosLike', 'OnesLike', 'Range', 'Select'],
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalNot'],
  ...['BatchMatMul', '_FusedMatMul'],
];

/** Those that gradients flow through. _FusedMatMul brings its own in TF.js. */
export const GRADIENT_KERNELS: readonly string[] = [
  ...['Identity', 'Cast', 'Reshape', 'ExpandDims', 'Transpose', 'Tile', 'BroadcastTo', 'PadV2'],
  ...['Add', 'AddN', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'Pow'],
  ...['Neg', 'Abs', 'Exp', 'Log', 'Sqrt', 'Rsqrt', 'Square', 'Sigmoid', 'Tanh', 'Relu', 'Erf'],
  ...['Sum', 'Mean', 'Max', 'Softmax', 'LogSoftmax'],
  ...['Slice', 'Concat', 'SplitV', 'Pack', 'Unpack', 'GatherV2', 'Select', 'BatchMatMul'],
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual', 'LogicalAnd', 'LogicalNot'],
  ...['ZerosLike', 'OnesLike'],
];
