/** Decoders of the 8B model's shape with random weights made on the device: no file of 16 GB is needed. */
import * as tf from '@tensorflow/tfjs-core';
import { type FloatStorage, STORAGE_BYTES } from '../../src/backend/device.js';
import { NativeBackend } from '../../src/backend/native-backend.js';
import { type LanguageConfig, type LoraConfig, ModelSchema } from '../../src/model/config.js';
import { Decoder } from '../../src/model/decoder.js';
import { ParameterStore, Scope } from '../../src/model/parameters.js';
import { fillRandom } from './random.js';

/** InternLM2-8B and the paper's LoRA, which are the defaults; or a toy of the same form. */
export function languageConfig(quick: boolean, numLayers: number): { language: LanguageConfig; lora: LoraConfig } {
  const toy = { hiddenSize: 64, intermediateSize: 96, numHeads: 4, numKvHeads: 2, vocabSize: 101 };
  return ModelSchema.parse({ language: { ...(quick ? toy : {}), numLayers }, lora: { dropout: 0 } });
}

export function nativeBackend(): NativeBackend {
  const backend: unknown = tf.backend();
  if (!(backend instanceof NativeBackend)) throw new TypeError('the current backend is not native');
  return backend;
}

/** A tensor of random numbers made on the device. */
export function randomTensor(shape: readonly number[], storage: FloatStorage, deviation: number): tf.Tensor {
  const backend = nativeBackend();
  const info = backend.make([...shape], 'float32', storage);
  const length = shape.reduce((product, n) => product * n, 1);
  fillRandom(backend.device, backend.address(info), length, storage, deviation);
  return tf.engine().makeTensorFromTensorInfo(info);
}

export interface RandomDecoder {
  readonly decoder: Decoder;
  readonly store: ParameterStore;
  /** Of the matrices and vectors that one token meets: all but the embedding table. */
  readonly bytesPerToken: number;
}

/** On the current backend; frozen weights in bf16, adapters in f32 as training has them. */
export function randomDecoder(language: LanguageConfig, lora: LoraConfig | null): RandomDecoder {
  const store = new ParameterStore();
  const decoder = new Decoder(new Scope(store, 'language_model', 'language model'), language, lora);
  if (lora !== null) store.train(['lora']);
  let bytesPerToken = 0;
  for (const parameter of store.list()) {
    const { shape, name, part } = parameter;
    const storage = part === 'lora' || shape.length < 2 ? 'f32' : 'bf16';
    parameter.value = shape.length < 2 ? tf.ones([...shape]) : randomTensor(shape, storage, (shape[1] ?? 1) ** -0.5);
    if (!name.endsWith('tok_embeddings.weight')) bytesPerToken += parameter.size * STORAGE_BYTES[storage];
  }
  return { decoder, store, bytesPerToken };
}
