/**
 * What the process itself uses. Read at collection only, by the names of the semantic conventions.
 */

import type { Meter } from '@opentelemetry/api';

/**
 * Declares memory, CPU time and the event loop's load on a meter.
 *
 * @param meter - the meter of the SDK that was started.
 */
export function declareRuntimeInstruments(meter: Meter): void {
  meter
    .createObservableGauge('process.memory.usage_bytes', { description: 'Resident memory of the process' })
    .addCallback((result) => result.observe(process.memoryUsage.rss()));
  meter
    .createObservableGauge('v8js.memory.heap.used_bytes', { description: 'JavaScript heap in use' })
    .addCallback((result) => result.observe(process.memoryUsage().heapUsed));
  meter
    .createObservableCounter('process.cpu.time_seconds', { description: 'CPU time spent, by mode' })
    .addCallback((result) => {
      const { user, system } = process.cpuUsage();
      result.observe(user / 1_000_000, { mode: 'user' });
      result.observe(system / 1_000_000, { mode: 'system' });
    });
  let previous = performance.eventLoopUtilization();
  meter
    .createObservableGauge('nodejs.eventloop.utilization', {
      description: 'Share of the time since the last collection in which the event loop was busy',
    })
    .addCallback((result) => {
      const current = performance.eventLoopUtilization();
      result.observe(performance.eventLoopUtilization(current, previous).utilization);
      previous = current;
    });
}
