import { describeOp } from '../support/describe-op.js';
import { opCases } from '../support/op-cases.js';

// Measured: forward 5.4e-8, backward 5.8e-8.
describeOp('splitRope', opCases.splitRope, { forward: 2e-7, backward: 2e-7 });
