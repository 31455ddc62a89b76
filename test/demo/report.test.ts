import { describe, expect, it } from 'vitest';
import { escapeHtml } from '../../src/base/html/escape-html.js';
import { lineChart } from '../../src/base/html/line-chart.js';
import { frameStrip } from '../../src/demo/report/frame-strip.js';
import { randomFrames } from '../support/tiny-model.js';

describe('report', () => {
  it('shows what a model wrote as text', () => {
    expect(escapeHtml(`<img src=x onerror="alert('1')">&`)).toBe(
      '&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;',
    );
  });

  it('draws a line through the points, with escaped labels', () => {
    const points = [
      { x: 0, y: 1 },
      { x: 10, y: 0 },
    ];
    const options = { title: 'a < b', xLabel: 'step', yLabel: 'loss', yRange: [0, 1] as const };
    const svg = lineChart([{ label: 'l', points, className: 'loss' }], options);
    expect(svg).toContain('points="56.0,28.0 408.0,186.0"');
    expect(svg).toContain('a &lt; b');
    expect(svg).not.toContain('NaN');
  });

  it('draws an empty chart without points', () => {
    const svg = lineChart([], { title: 't', xLabel: 'x', yLabel: 'y' });
    expect(svg).not.toMatch(/NaN|Infinity/);
  });

  it('puts frames side by side as one picture', async () => {
    const url = await frameStrip(randomFrames(5, 8, 1), 3);
    const bytes = Buffer.from(url.replace('data:image/webp;base64,', ''), 'base64');
    const { default: sharp } = await import('sharp');
    expect(await sharp(bytes).metadata()).toMatchObject({ format: 'webp', width: 192, height: 64 });
  });
});
