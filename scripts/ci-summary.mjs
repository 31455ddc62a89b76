/**
 * Adds vitest's JSON report to the counts of the checks before it: `ci-summary.mjs REPORT PASSED FAILED TEST_STATUS`.
 * Prints "N passed, N failed[, N skipped]" and exits with 1 when anything failed. A run that wrote no report, a test
 * file that did not load, and a failure outside any test each count as failed.
 */
import { readFileSync } from 'node:fs';

const [reportFile, ...numbers] = process.argv.slice(2);
let [passed, failed, testStatus] = numbers.map(Number);
let skipped = 0;

const text = readFileSync(reportFile, 'utf8');
if (text !== '') {
  const report = JSON.parse(text);
  const unloaded = report.testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  );
  passed += report.numPassedTests;
  failed += report.numFailedTests + unloaded.length;
  skipped = report.numPendingTests + report.numTodoTests;
}
if (testStatus !== 0 && failed === 0) failed = 1;

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
