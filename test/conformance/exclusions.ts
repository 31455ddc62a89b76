/** Specs of the listed suites that the native backend is not held to. Each of them must fail: one that passes has to leave this list. */
export interface Exclusion {
  readonly reason: string;
  /** Each matches at least one spec, written `suite > describe > .. > it`. */
  readonly specs: readonly RegExp[];
}

export const EXCLUSIONS: readonly Exclusion[] = [
  {
    reason: 'complex64 tensors are not offered',
    specs: [
      /(?<!non-)complex/,
      // Both go on to complex64 after the real dtypes.
      /^ops\/(add|sub)_test > (add|sub) > upcasts when dtypes dont match$/,
    ],
  },
  {
    reason: 'string tensors are not offered',
    specs: [
      // Specs that expect an error get one.
      /^(?!.*(throws|errors|mismatch|not match|missing|is not)).*\bstrings?\b/,
      /^ops\/clone_test > clone > gradient: 1D string/,
      /^ops\/squeeze_test > squeeze > (?!squeeze errors)/,
    ],
  },
  {
    reason: 'our gradient of Max shares dy among tied maxima, as PyTorch does; TF.js gives each of them all of it',
    specs: [/^ops\/max_test > max > max gradient: .*ties/],
  },
  {
    reason: 'our gradients know comparisons and logic as constant (0), where TF.js has none',
    specs: [/^gradients_test > gradients > errors if relevant ops are missing grads$/],
  },
  {
    reason: 'our gradient of GatherV2 refuses batchDims',
    specs: [/^ops\/gather_test > gather > gradient .* batchDims 1$/],
  },
];
