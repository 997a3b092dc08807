/// Refuses values of options that make no sense, before a database is asked.
///
/// The command checks what was typed and what stands in the file, in their words; a program may set anything.
enum OptionCheck {
  /// - Throws: ``MergeError/invalidRequest(_:)``.
  static func range<Value: Comparable>(
    _ value: Value?,
    _ limits: ClosedRange<Value>,
    _ name: String
  ) throws(MergeError) {
    guard let value, !limits.contains(value) else { return }
    throw .invalidRequest("\(name) is \(value); it must be from \(limits.lowerBound) to \(limits.upperBound).")
  }
}

extension MergeOptions {
  func check() throws(MergeError) {
    try OptionCheck.range(batchRows, MergeLimits.batchRows, "batchRows")
    try OptionCheck.range(workers, MergeLimits.workers, "workers")
    try OptionCheck.range(lockTimeoutMilliseconds, MergeLimits.timeoutMilliseconds, "lockTimeoutMilliseconds")
    try OptionCheck.range(maxLockMilliseconds, MergeLimits.lockMilliseconds, "maxLockMilliseconds")
    try OptionCheck.range(statementTimeoutMilliseconds, MergeLimits.timeoutMilliseconds, "statementTimeoutMilliseconds")
    try OptionCheck.range(reconnectLimitSeconds, MergeLimits.seconds, "reconnectLimitSeconds")
    try OptionCheck.range(maxErrors, MergeLimits.refusedRows, "maxErrors")
    try OptionCheck.range(maxRowsPerSecond, MergeLimits.rows, "maxRowsPerSecond")
    try OptionCheck.range(maxReplicaLagSeconds, MergeLimits.seconds, "maxReplicaLagSeconds")
  }
}

extension VerifyOptions {
  func check() throws(MergeError) {
    try merge.check()
    try OptionCheck.range(sampleLimit, MergeLimits.samples, "sampleLimit")
    try OptionCheck.range(recheckAfterSeconds, 0...86_400, "recheckAfterSeconds")
  }
}

extension RepairOptions {
  func check() throws(MergeError) {
    try merge.check()
    try OptionCheck.range(sampleLimit, MergeLimits.samples, "sampleLimit")
    try OptionCheck.range(maxExtraPercent, 0...100, "maxExtraPercent")
  }
}

extension RollbackOptions {
  func check() throws(MergeError) {
    try merge.check()
    try OptionCheck.range(sampleLimit, MergeLimits.samples, "sampleLimit")
  }
}
