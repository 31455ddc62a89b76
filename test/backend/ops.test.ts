import { describeOp } from '../support/describe-op.js';
import { opCases } from '../support/op-cases.js';
import { NATIVE } from './native.js';

for (const [op, cases] of Object.entries(opCases)) describeOp(op, cases, { forward: 1e-6, backward: 1e-6 }, [NATIVE]);
