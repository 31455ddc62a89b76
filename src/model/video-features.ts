import * as tf from '@tensorflow/tfjs-core';

/** What the frozen encoders say about one video, or about one picture's tiles; all that training needs to keep of it. */
export class VideoFeatures {
  /**
   * Takes ownership of both tensors.
   *
   * @param temporal_MD null for a model without the temporal branch, and for a picture
   * @param kind a picture's tiles have no place in time
   */
  constructor(
    readonly spatial_ND: tf.Tensor2D,
    readonly temporal_MD: tf.Tensor2D | null,
    readonly kind: 'video' | 'image' = 'video',
  ) {
    tf.keep(spatial_ND);
    if (temporal_MD !== null) tf.keep(temporal_MD);
  }

  dispose(): void {
    tf.dispose(this.temporal_MD === null ? [this.spatial_ND] : [this.spatial_ND, this.temporal_MD]);
  }
}
