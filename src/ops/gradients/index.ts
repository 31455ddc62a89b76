/**
 * Gradients of the stock TF.js kernels in use. TF.js's Node bundle registers none; these need no kernel that the
 * wasm backend lacks.
 */
import './arithmetic.js';
import './elementwise.js';
import './indexing.js';
import './joining.js';
import './matmul.js';
import './piecewise-constant.js';
import './reduction.js';
import './shape.js';
