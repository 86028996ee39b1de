/**
 * Metrics for Prometheus: as text, and over HTTP.
 *
 * @example Usage
 * ```ts
 * import { Messenger } from "zeromesh";
 * import { prometheusMeter } from "zeromesh/prometheus";
 *
 * const meter = prometheusMeter();
 * await using server = await meter.serve({ port: 9464 });
 * await using messenger = await Messenger.create({ meter });
 * console.log(server.url, await meter.text());
 * ```
 *
 * @module
 */
export {
  PrometheusMeter,
  prometheusMeter,
  type PrometheusOptions,
  type PrometheusRegistry,
} from "./prometheus_meter.ts";
export { type MetricsServer, type ServeOptions } from "./metrics_server.ts";
export type { Histogram, Meter, MetricInfo, Observe, ReadMetric, Recorder } from "../core/mod.ts";
