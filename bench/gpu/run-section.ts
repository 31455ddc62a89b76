/** One section in this process, with PyTorch beside it where it is found. */
import * as tf from '@tensorflow/tfjs-core';
import { CudaDevice } from '../../src/backend/cuda/cuda-device.js';
import { useBackend } from '../../src/backend/select.js';
import { nativeBackend } from './decoder.js';
import type { GpuRow, Section } from './section.js';
import { Torch } from './torch.js';

export interface SectionOptions {
  readonly index: number;
  readonly quick: boolean;
  /** The python that has torch. */
  readonly python: string | undefined;
}

/** The GPU as TF.js's backend: sections that go through TF.js and those that do not share it. */
export async function openGpu(index: number): Promise<CudaDevice> {
  await useBackend({ backend: 'native', device: `cuda:${index}`, precision: 'bf16' });
  const { device } = nativeBackend();
  if (!(device instanceof CudaDevice)) throw new TypeError('the current device is no GPU');
  return device;
}

export async function runSection(section: Section, options: SectionOptions, add: (row: GpuRow) => void): Promise<void> {
  const { index, quick, python } = options;
  const gpu = await openGpu(index);
  const torch = python === undefined ? undefined : await Torch.start(python, index);
  try {
    await section({ gpu, torch, quick, add });
  } finally {
    await torch?.stop();
    tf.engine().disposeVariables();
    gpu.dispose();
  }
}
