import MergeEngine

/// Refuses values of options that make no sense, before a database is asked.
enum UsageCheck {
  /// - Throws: ``MergeFailure/usage(_:)``.
  static func range<Value: Comparable & CustomStringConvertible>(
    _ value: Value,
    _ allowed: ClosedRange<Value>,
    flag: String,
    rule: String
  ) throws {
    guard allowed.contains(value) else { throw MergeFailure.usage("\(flag) is \(value); it must be \(rule).") }
  }

  /// Checks what was typed, if anything: the file's values are checked where it is read, with their lines.
  ///
  /// - Throws: ``MergeFailure/usage(_:)``.
  static func typed(_ value: Int?, _ limits: ClosedRange<Int>, flag: String) throws {
    guard let value else { return }
    try range(value, limits, flag: flag, rule: "from \(limits.lowerBound) to \(limits.upperBound)")
  }
}
