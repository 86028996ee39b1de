/**
 * Contracts, errors, clock, logger and ids: the lowest layer.
 *
 * @module
 */
export { AsyncQueue } from "./async_queue.ts";
export { AsyncSource } from "./async_source.ts";
export { Backoff } from "./backoff.ts";
export { Broadcast, type DroppedEntries, type SubscribeOptions } from "./broadcast.ts";
export { type CancelTimer, type Clock, holdProcess, ProcessHold, systemClock, type Timed } from "./clock.ts";
export { Condition } from "./condition.ts";
export {
  type AmContract,
  type CallInput,
  type CallOutput,
  type Contract,
  contract,
  type ContractOptions,
  contractsIn,
  type Encoding,
  type HandlerInput,
  type HandlerOutput,
  isContract,
  systemContract,
  type UnaryContract,
} from "./contract.ts";
export { contractKind, type ContractOfKind, type ContractTypes, type SchemaOfKind } from "./contract_kind.ts";
export {
  type ContractErrors,
  type DeclaredError,
  type ErrorCodeOf,
  type Fail,
  type FailArguments,
  failOf,
} from "./declared_errors.ts";
export { type Credit, CreditLedger, CreditWindow, largestCredit } from "./credit.ts";
export { Alarm, Deadline, Deadlines } from "./deadlines.ts";
export { Deque } from "./deque.ts";
export { hasShare, Shares } from "./shares.ts";
export { cancelAfter, type ErrorPolicy, type ErrorVerdict, logOnly } from "./error_policy.ts";
export { durationBounds, DurationBuckets } from "./duration_buckets.ts";
export {
  codesOfCallers,
  type ErrorCode,
  errorText,
  type KnownErrorCode,
  knownErrorCodes,
  type Ran,
  ZeromeshError,
  type ZeromeshErrorOptions,
} from "./errors.ts";
export { type Ending, EndOf } from "./ending.ts";
export { describeValue } from "./describe_value.ts";
export { type Faults, Guard, guardLogger, type Hook, hooks, isThenable, readable } from "./guard.ts";
export { guardLimiter } from "./guarded_limiter.ts";
export { GuardedMeter } from "./guarded_meter.ts";
export {
  type InstanceId,
  instanceId,
  instanceIdFromBytes,
  instanceIdToBytes,
  isInstanceId,
  newInstanceId,
  type WorkerId,
  workerIdOf,
} from "./ids.ts";
export { isInstanceName, maxInstanceNameLength } from "./instance_name.ts";
export { asMethod } from "./as_method.ts";
export { isSystemName } from "./system_name.ts";
export { LabelLimit, otherLabel } from "./label_limit.ts";
export {
  type LimitedTask,
  type Limiter,
  type Semaphore,
  semaphore,
  tokenBucket,
  type TokenBucketOptions,
  tokenBucketOptionTable,
  unlimited,
} from "./limiter.ts";
export { LeaseTable, type LeaseTableOptions } from "./lease_table.ts";
export { Line, LinePlace } from "./line.ts";
export { LinkedQueue, QueueNode } from "./linked_queue.ts";
export { type LogFields, type Logger, type Reporting, silentLogger } from "./logger.ts";
export { ThrottledLog } from "./throttled_log.ts";
export {
  type Histogram,
  type Meter,
  type MetricInfo,
  type Observe,
  type ReadMetric,
  type Recorder,
} from "./meter.ts";
export { labelsOf, MetricSum, MetricSums } from "./metric_sum.ts";
export { numbersOf, observeStats, type StatMetric } from "./stat_metrics.ts";
export { TimeSlice } from "./time_slice.ts";
export {
  type AnySchema,
  describeIssues,
  issuePath,
  type SchemaFailure,
  type SchemaInput,
  type SchemaIssue,
  schemaOption,
  type SchemaOutput,
  type SchemaResult,
  type StandardSchema,
  validate,
  validateArrived,
} from "./schema.ts";
export { jsonSchemaOf } from "./json_schema_of.ts";
export { shape } from "./shape.ts";
export {
  type ClientStreamCall,
  isStream,
  type ServerStreamCall,
  stream,
  type StreamCall,
  type StreamCallOptions,
  type StreamContext,
  type StreamInput,
  type StreamItem,
  streamKind,
  type StreamMethod,
  type StreamResult,
  type StreamSchema,
  type StreamSendOptions,
  type StreamSource,
  type StreamTypes,
  type TwoWayStreamCall,
} from "./stream.ts";
export { TurnClock, type TurnTask } from "./turn_clock.ts";
export type { Overflow } from "./overflow.ts";
export { retry, supervise } from "./retry.ts";
export { hold, onAbort, pause } from "./wait.ts";
export { xxh3Of16 } from "./xxh3.ts";
export { libraryVersion } from "./version.ts";
export {
  checkArgument,
  type Filled,
  option,
  type OptionKind,
  type OptionTable,
  readOptions,
  requireOption,
  unknownName,
  withDefaults,
} from "./options.ts";
