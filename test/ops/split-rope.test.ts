import { describeOp } from '../support/describe-op.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward X, backward X.
describeOp('splitRope', opCases.splitRope, { forward: 4e-7, backward: 8e-7 });
