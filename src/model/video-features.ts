import * as tf from '@tensorflow/tfjs-core';

/** What the frozen encoders say about one video; all that training needs to keep of it. */
export class VideoFeatures {
  /** Takes ownership of both tensors. */
  constructor(
    readonly spatial_ND: tf.Tensor2D,
    readonly temporal_MD: tf.Tensor2D | null,
  ) {
    tf.keep(spatial_ND);
    if (temporal_MD !== null) tf.keep(temporal_MD);
  }

  dispose(): void {
    tf.dispose(this.temporal_MD === null ? [this.spatial_ND] : [this.spatial_ND, this.temporal_MD]);
  }
}
