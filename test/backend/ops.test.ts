import { describeOp } from '../support/describe-op.js';
import { opCases } from '../support/op-cases.js';
import { NATIVE } from './native.js';

// Measured: 2.0e-7 over all ops and their gradients.
for (const [op, cases] of Object.entries(opCases)) describeOp(op, cases, { forward: 1e-6, backward: 1e-6 }, [NATIVE]);
