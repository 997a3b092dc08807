import MergeEngine

/// Refuses values of options that make no sense, before a database is asked.
enum UsageCheck {
  /// - Throws: ``MergeFailure/usage(_:)``.
  static func range<Value: Comparable & CustomStringConvertible>(
    _ value: Value,
    _ allowed: ClosedRange<Value>,
    _ flag: String,
    _ rule: String
  ) throws {
    guard allowed.contains(value) else { throw MergeFailure.usage("\(flag) is \(value); it must be \(rule).") }
  }
}
