import * as tf from '@tensorflow/tfjs-core';

/** Has every kernel of a backend count its runs. */
export function countKernelRuns(backendName: string): ReadonlyMap<string, number> {
  const runs = new Map<string, number>();
  for (const config of tf.getKernelsForBackend(backendName)) {
    const { kernelName, kernelFunc } = config;
    runs.set(kernelName, 0);
    tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      ...config,
      kernelFunc: (parameters) => {
        runs.set(kernelName, (runs.get(kernelName) ?? 0) + 1);
        return kernelFunc(parameters);
      },
    });
  }
  return runs;
}
